/** Questions to DNS servers, and a strict reading of what comes back: strangers write it. */
import { AgentError } from "../../errors.ts";

const ANSWER_MS = 5_000;
/** Of one kind, of one name. */
const MAX_RECORDS = 64;
const MAX_TXT_LENGTH = 255;
const MAX_NAME_LENGTH = 254;

export interface DnsServer {
  readonly ipAddr: string;
  readonly port: number;
}

/** What is asked of a resolver. Rejects with Deno.errors.NotFound where there is no such record. */
export type Resolve = (
  name: string,
  type: "A" | "AAAA" | "NS" | "TXT",
  /** undefined: the system's own */
  server: DnsServer | undefined,
  signal: AbortSignal,
) => Promise<unknown>;

/** Deno's: asks anew each time. A server that refuses, or fails, looks to it like one that has no such record. */
export const resolveDns: Resolve = (name, type, nameServer, signal) =>
  Deno.resolveDns(name, type as "A", { ...(nameServer && { nameServer }), signal });

/** What one server, or the system's resolver, has of a name: none is an empty list. Throws ACME, or the signal's reason. */
export async function ask(
  resolve: Resolve,
  name: string,
  type: "A" | "AAAA" | "NS" | "TXT",
  { server, signal }: { readonly server?: DnsServer; readonly signal: AbortSignal },
): Promise<string[]> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ANSWER_MS);
  try {
    // With its last dot no search domain of /etc/resolv.conf is tried.
    const records = await resolve(`${name}.`, type, server, AbortSignal.any([signal, late.signal]));
    return read(records, type);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof Deno.errors.NotFound) return [];
    throw new AgentError("ACME", problem(cause, late.signal.aborted), { cause });
  } finally {
    clearTimeout(timer);
  }
}

const ADDRESS = /^[0-9A-Fa-f:.]{2,45}$/;
/** Perhaps with the root's dot. */
const HOST = /^[0-9A-Za-z_-]{1,63}(?:\.[0-9A-Za-z_-]{1,63})*\.?$/;

function read(records: unknown, type: "A" | "AAAA" | "NS" | "TXT"): string[] {
  if (!Array.isArray(records)) return [];
  const some: unknown[] = records.slice(0, MAX_RECORDS);
  if (type === "TXT") {
    // A record is a list of strings. Longer ones, and those of other bytes, are no challenge's.
    return some.filter((strings) => Array.isArray(strings)).map((strings) => strings.join(""))
      .filter((value) => value.length <= MAX_TXT_LENGTH && /^[ -~]*$/.test(value));
  }
  const form = type === "NS" ? HOST : ADDRESS;
  return some.filter((record): record is string =>
    typeof record === "string" && record.length <= MAX_NAME_LENGTH && form.test(record)
  );
}

function problem(cause: unknown, late: boolean): string {
  if (late || cause instanceof Deno.errors.TimedOut) return "it does not answer";
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/^proto error: /, "").replace(/[^ -~]+/g, " ").slice(0, 200);
}
