/** What a server says about when to ask again (RFC 9110, 10.2.3), and doing so where it is soon. */
import { AgentError } from "../../errors.ts";
import { pause } from "../../pause.ts";

/** Milliseconds that are simply waited for; what takes longer is the caller's to plan. */
const SOON_MS = 10_000;
const ATTEMPTS = 4;

/** Milliseconds from now; undefined: it says nothing that can be read. */
export function retryAfterMs(headers: Headers, now = Date.now()): number | undefined {
  const value = headers.get("Retry-After")?.trim() ?? "";
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  // Date.parse makes a date of nearly any number.
  const at = /^[A-Z][a-z]+,/.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

/** For an error's details: the time as ISO 8601 UTC. */
export function retryAfterDetail(headers: Headers): { readonly retry_after?: string } {
  const ms = retryAfterMs(headers);
  return ms === undefined ? {} : { retry_after: new Date(Date.now() + ms).toISOString() };
}

/** The hint of an error that names a time. */
export function hintOf({ retry_after }: { readonly retry_after?: string }): string {
  return retry_after ? `Try again after ${retry_after}.` : "Try again later.";
}

/**
 * Carries `work` out again while its error names a time that comes soon, or while `again` says so.
 * The work must be one that a refusal leaves undone.
 */
export async function persist<T>(
  signal: AbortSignal,
  work: () => Promise<T>,
  again: (cause: unknown) => boolean = () => false,
): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await work();
    } catch (cause) {
      const ms = again(cause) ? 0 : soon(cause);
      if (ms === undefined || attempt === ATTEMPTS) throw cause;
      await pause(ms, signal);
    }
  }
}

function soon(cause: unknown): number | undefined {
  const at = cause instanceof AgentError ? cause.details?.retry_after : undefined;
  if (typeof at !== "string") return undefined;
  const ms = Date.parse(at) - Date.now();
  return ms <= SOON_MS ? Math.max(0, ms) : undefined;
}
