/** What a command that failed prints, and its exit code. */
import { CommanderError } from "commander";
import { SettingsError } from "../config.ts";
import { AgentError } from "../errors.ts";
import { EXIT, type ExitCode } from "../supervisor/exit_code.ts";
import { paint } from "./paint.ts";
import { harmless, type Terminal } from "./terminal.ts";

/** A command's last word. */
export type Finish = (exitCode: ExitCode) => void;

export interface Outcome {
  readonly exitCode: ExitCode;
  /** Undefined where it was printed already. */
  readonly complaint?: {
    /** Who speaks, or of what: `Error`. */
    readonly head: string;
    readonly message: string;
    readonly hint?: string;
  };
}

/** A command line that can't be understood: exit 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export function outcomeOf(cause: unknown): Outcome {
  // Commander has printed help, version or its complaint by itself.
  if (cause instanceof CommanderError) {
    return { exitCode: cause.exitCode === 0 ? EXIT.done : EXIT.usage };
  }
  if (cause instanceof UsageError) {
    return { exitCode: EXIT.usage, complaint: { head: "error", message: cause.message } };
  }
  if (cause instanceof SettingsError) {
    return { exitCode: EXIT.settings, complaint: { head: "haproxy-mcp", message: cause.message } };
  }
  const error = AgentError.from(cause);
  const { message, hint } = error;
  return { exitCode: exitCodeOf(error), complaint: { head: "Error", message, hint } };
}

/**
 * One line; at a terminal the hint gets a line of its own.
 *
 * @param terminal that of stderr
 */
export function complaintText(
  { head, message, hint }: NonNullable<Outcome["complaint"]>,
  terminal: Terminal | undefined,
): string {
  if (!terminal) return `${head}: ${message}${hint ? ` Hint: ${hint}` : ""}`;
  const label = terminal.colours ? paint("red", `${head}:`) : `${head}:`;
  const lines = [`${label} ${harmless(message)}`, ...hint ? [`Hint: ${harmless(hint)}`] : []];
  return lines.join("\n");
}

/** With --json an error is printed on stdout, too. */
export async function answering(
  { json = false }: { readonly json?: boolean },
  act: () => Promise<ExitCode>,
): Promise<ExitCode> {
  try {
    return await act();
  } catch (cause) {
    if (!json || !(cause instanceof AgentError)) throw cause;
    console.log(JSON.stringify({ error: cause.toData() }));
    return exitCodeOf(cause);
  }
}

function exitCodeOf({ code }: AgentError): ExitCode {
  switch (code) {
    case "HAPROXY_UNREACHABLE":
      return EXIT.haproxyUnreachable;
    // A file under the root that a person has to put right, as a bad setting.
    case "STATE_CORRUPT":
      return EXIT.settings;
    case "INTERNAL":
      return EXIT.internal;
    default:
      return EXIT.toolError;
  }
}
