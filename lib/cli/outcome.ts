/** What a command that failed prints, and its exit code. */
import { CommanderError } from "commander";
import { SettingsError } from "../config.ts";
import { AgentError } from "../errors.ts";
import { EXIT, type ExitCode } from "../supervisor/exit_code.ts";

/** A command's last word. */
export type Finish = (exitCode: ExitCode) => void;

export interface Outcome {
  readonly exitCode: ExitCode;
  /** One line for stderr; undefined where it was printed already. */
  readonly message?: string;
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
    return { exitCode: EXIT.usage, message: `error: ${cause.message}` };
  }
  if (cause instanceof SettingsError) {
    return { exitCode: EXIT.settings, message: `haproxy-mcp: ${cause.message}` };
  }
  const error = AgentError.from(cause);
  const hint = error.hint ? ` Hint: ${error.hint}` : "";
  return { exitCode: exitCodeOf(error), message: `Error: ${error.message}${hint}` };
}

export function exitCodeOf({ code }: AgentError): ExitCode {
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
