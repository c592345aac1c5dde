/** ACME Renewal Information (RFC 9773): when the CA wants a certificate renewed. */
import { AgentError } from "../../errors.ts";
import type { RenewalInfo } from "./acts.ts";
import type { Client } from "./client.ts";
import { retryAfterMs } from "./retry_after.ts";

const MINUTE = 60_000, HOUR = 60 * MINUTE;
/** Where the CA names none; and the least and the most that is believed (RFC 9773, 4.3.2). */
const ASK_AGAIN_MS = 6 * HOUR;
const LEAST_MS = MINUTE;
const MOST_MS = 24 * HOUR;

/**
 * @param id of the certificate (RFC 9773, 4.1)
 * @throws {AgentError} VALIDATION for what is no id, ACME, TIMEOUT; the signal's reason
 */
export async function readRenewalInfo(
  client: Client,
  id: string,
  signal: AbortSignal,
): Promise<RenewalInfo | null> {
  if (!/^[\w-]{1,200}\.[\w-]{1,200}$/.test(id)) {
    throw new AgentError("VALIDATION", "That is no certificate's ARI identifier.");
  }
  const { directory } = await client.connect(signal);
  // The library's type has it, not every CA does.
  const base = (directory as { renewalInfo?: string }).renewalInfo;
  if (!base) return null;
  const doing = "say when the certificate is to be renewed";
  let response: Response;
  try {
    response = await client.get(`${base}/${id}`, { doing, signal });
  } catch (cause) {
    // A certificate of another CA's, or one that it has forgotten.
    const status = cause instanceof AgentError ? cause.details?.status : undefined;
    if (status === 400 || status === 404) return null;
    throw cause;
  }
  const { suggestedWindow, explanationURL } = Object(await response.json().catch(() => ({})));
  const start = Date.parse(suggestedWindow?.start), end = Date.parse(suggestedWindow?.end);
  if (!(start < end)) {
    throw new AgentError(
      "ACME",
      `The CA ${client.host} was asked to ${doing}, but its answer can't be read.`,
    );
  }
  const wait = retryAfterMs(response.headers) ?? ASK_AGAIN_MS;
  const ms = Math.min(Math.max(wait, LEAST_MS), MOST_MS);
  return {
    start: new Date(start).toISOString(),
    end: new Date(end).toISOString(),
    ...typeof explanationURL === "string" && /^https?:\/\//.test(explanationURL) &&
      { explanationUrl: client.quote(explanationURL) },
    askAgainAt: new Date(Date.now() + ms).toISOString(),
  };
}
