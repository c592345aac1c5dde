/** What all ways to a reload have in common. */
import type { ReloadWay } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import type { ReloadOrder } from "../../../tools/host_acts.ts";
import { lastWords, parseMessages } from "./messages.ts";

export interface Look {
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  /** So long a way is tried again that may just be coming up. */
  readonly patienceMs: number;
}

/** One way to a reload, for the length of one call. */
export interface Way {
  readonly way: ReloadWay;
  /** Why it does not work, as the end of a sentence; undefined: it works. Throws the signal's reason alone. */
  problem(look: Look): Promise<string | undefined>;
  /** Throws CONFIG_INVALID, RELOAD_FAILED, or the signal's reason. */
  reload(signal: AbortSignal): Promise<ReloadOrder>;
}

/** CONFIG_INVALID where HAProxy's words are about its configuration, else RELOAD_FAILED; both with details.errors. */
export function reloadError(words: string, hint: string): AgentError {
  const { errors, warnings, aboutConfig } = parseMessages(words);
  const details = { errors, warnings };
  if (aboutConfig) {
    return new AgentError(
      "CONFIG_INVALID",
      `HAProxy refuses its configuration: ${placed(errors[0])}${more(errors.length - 1)}`,
      { hint: "The old worker serves on. Correct the configuration and reload again.", details },
    );
  }
  const first = errors.length > 0 ? placed(errors[0]) : lastWords(words);
  return new AgentError(
    "RELOAD_FAILED",
    `HAProxy was not reloaded: ${first || "it does not say why"}${more(errors.length - 1)}`,
    { hint, details },
  );
}

const placed = ({ file, line, message }: { file?: string; line?: number; message: string }) =>
  (file === undefined ? "" : `${file}:${line}: `) + message;
const more = (count: number) => count > 0 ? ` (and ${count} more)` : "";

/** What a probe throws as a reason; rethrows it where the call itself has ended. */
export function problemOf(cause: unknown, signal: AbortSignal): string {
  signal.throwIfAborted();
  return AgentError.from(cause).message.replace(/\.$/, "");
}
