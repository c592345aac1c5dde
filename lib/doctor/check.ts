/** A check is data and a pure function: from what was seen to what a person is told. */
import type { AgentErrorData } from "../errors.ts";
import type { Looked } from "../looked.ts";
import type { Tree } from "../supervisor/host/tree.ts";
import type { Seen } from "./seen.ts";

export const GROUPS = [
  "haproxy",
  "configuration",
  "files",
  "certificates",
  "system",
  "agent",
] as const;
export type Group = typeof GROUPS[number];

export type Finding =
  | { readonly status: "ok"; readonly message: string }
  | {
    /** fault: something that is promised does not hold, now or at the next start. warning: it soon may not. */
    readonly status: "warning" | "fault";
    readonly message: string;
    /** What to do, with the command where there is one. */
    readonly remedy: string;
  }
  | {
    /** It could not be looked at, or there is nothing to look at; the message says why. */
    readonly status: "skipped";
    readonly message: string;
  };
export type Status = Finding["status"];

export interface Check {
  /** Part of the contract, as scripts look for it: never renamed. */
  readonly name: string;
  readonly group: Group;
  /** What is looked for, for the documentation. */
  readonly looksFor: string;
  /** Throws Skip. */
  readonly judge: (seen: Seen) => Finding;
}

export type Outcome = Finding & Pick<Check, "name" | "group">;

/** Ends a check that can't be made. */
export class Skip extends Error {
  override readonly name = "Skip";
}

export const ok = (message: string): Finding => ({ status: "ok", message });
export const warning = (message: string, remedy: string): Finding => ({
  status: "warning",
  message,
  remedy,
});
export const fault = (message: string, remedy: string): Finding => ({
  status: "fault",
  message,
  remedy,
});
export const skipped = (message: string): Finding => ({ status: "skipped", message });

/**
 * An error is the finding, its hint the remedy.
 *
 * @param remedy where it has no hint
 */
export function faultOf({ code, message, hint }: AgentErrorData, remedy?: string): Finding {
  return fault(message, hint ?? remedy ?? `docs/troubleshooting.md says what ${code} means.`);
}

/** What was seen. Throws Skip with the reason where nothing was. */
export function need<T>(looked: Looked<T>): T {
  if ("value" in looked) return looked.value;
  throw new Skip(looked.error.message);
}

/** What a file says. What this user may not read is the check access's finding, and no other's; all else that is wrong is. */
export function readable<T>(looked: Looked<T>): Looked<T> {
  if ("error" in looked && isDenied(looked.error.message)) {
    throw new Skip("this user may not read it (see access)");
  }
  return looked;
}

export const isDenied = (message: string): boolean => /Permission denied/.test(message);

/**
 * Nothing was found in what there is under the root. Where that was not all of it, it is not said to be fine.
 *
 * @param command shows what doctor would have looked for
 */
export function nothingIn({ missing }: Tree, fine: string, command: string): Finding {
  if (missing === undefined) return ok(fine);
  return skipped(
    `${fine}, as far as was looked: ${missing}. As root, this tells of all: ${command}`,
  );
}

/** So many are named of those that are as bad. */
const MOST = 5;

/** The worst of several, with what is wrong in all of that kind, the first ones by name; `fine` where there are none. */
export function worstOf(findings: readonly Finding[], fine: string): Finding {
  for (const status of ["fault", "warning"] as const) {
    const those = findings.filter((each) => each.status === status);
    if (those.length === 0) continue;
    const shown = those.slice(0, MOST);
    const remedies = new Set(shown.flatMap((each) => "remedy" in each ? [each.remedy] : []));
    const message = shown.map((each) => each.message.replace(/\.$/, "")).join("; ");
    const more = those.length > MOST ? `; and ${those.length - MOST} more` : "";
    return { status, message: message + more, remedy: [...remedies].join(" ") };
  }
  return ok(fine);
}

/** `a, b, c and 3 more`. */
export function named(names: readonly string[], count = names.length, most = 3): string {
  const shown = names.slice(0, most);
  return shown.join(", ") + (count > shown.length ? ` and ${count - shown.length} more` : "");
}

/** `a b c …`, for a command. */
export function words(names: readonly string[], most = 3): string {
  return [...names.slice(0, most), ...(names.length > most ? ["…"] : [])].join(" ");
}
