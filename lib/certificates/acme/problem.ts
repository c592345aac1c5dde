/** Problem documents (RFC 7807) of the CA as errors (RFC 8555, 6.7). */
import { AgentError } from "../../errors.ts";
import { hintOf, retryAfterDetail } from "./retry_after.ts";

const PREFIX = "urn:ietf:params:acme:error:";

export interface Problem {
  readonly type?: unknown;
  readonly detail?: unknown;
}

export interface Asked {
  /** Begins the sentence: `The CA ca.example`. */
  readonly who: string;
  /** `order a certificate for example.com`. */
  readonly doing: string;
  readonly quote: (words: unknown) => string;
}

/** What to do about a problem, by its short name. */
const HINTS: Readonly<Record<string, string>> = {
  accountDoesNotExist: "Remove the stored account, so that a new one is registered.",
  caa: "Let the domain's CAA records name this CA, or use another one.",
  dns: "Look whether the domain's name servers answer.",
  rejectedIdentifier: "This CA issues no certificate for this domain: use another one.",
  serverInternal: "Try again later.",
  userActionRequired: "Do what the CA asks for, and try again.",
};

export async function isBadNonce(response: Response): Promise<boolean> {
  return shortType((await readProblem(response.clone())).type) === "badNonce";
}

/** Status and header come along: an error that names a time says it in `details.retry_after`. */
export async function problemError(response: Response, asked: Asked): Promise<AgentError> {
  const { status, headers } = response;
  const problem = await readProblem(response);
  const type = shortType(problem.type);
  const limited = status === 429 || type === "rateLimited";
  const when = limited || status === 503 ? retryAfterDetail(headers) : {};
  const said = describeProblem(problem, asked.quote);
  const message = said === undefined
    ? `${asked.who} answered ${status} when it was asked to ${asked.doing}.`
    : `${asked.who} refused to ${asked.doing}: ${said}.`;
  return new AgentError("ACME", message, {
    hint: limited || status >= 500 ? hintOf(when) : problemHint(problem),
    details: { status, ...type && { type: asked.quote(problem.type) }, ...when },
  });
}

/** `No TXT records found at _acme-challenge.example.com (unauthorized)`; undefined where it says nothing. */
export function describeProblem(
  { type, detail }: Problem,
  quote: (words: unknown) => string,
): string | undefined {
  const name = shortType(type);
  const text = typeof detail === "string" ? quote(detail).replace(/\.$/, "") : "";
  if (!text) return name && quote(name);
  return name ? `${text} (${quote(name)})` : text;
}

/** What to do next, where that is known. */
export function problemHint({ type }: Problem): string | undefined {
  return HINTS[shortType(type) ?? ""];
}

/** The error's problem, `alreadyReplaced`. */
export function problemOf(cause: unknown): string | undefined {
  return cause instanceof AgentError ? shortType(cause.details?.type) : undefined;
}

function shortType(type: unknown): string | undefined {
  if (typeof type !== "string" || type === "about:blank") return undefined;
  return type.startsWith(PREFIX) ? type.slice(PREFIX.length) : type;
}

async function readProblem(response: Response): Promise<Problem> {
  try {
    return Object(await response.json());
  } catch {
    return {};
  }
}
