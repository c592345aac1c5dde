/** The last guard: who asks, and whether they ask too often. */
import type { MiddlewareHandler } from "hono";
import { deleteCookie, getCookie } from "hono/cookie";
import type { Failures } from "./access/failures.ts";
import type { Judge } from "./access/judge.ts";
import { PAGE_COOKIE } from "./access/page_cookie.ts";
import { SCOPES } from "./access/principal.ts";
import type { ProtectedResource } from "./access/protected_resource.ts";
import type { Limiter } from "./access/rate.ts";
import { readText } from "./body.ts";
import type { Env, RequestContext } from "./env.ts";
import { askToSignIn, isForm, isForPeople, refuse, tooMany } from "./refuse.ts";
import { STATUS_ROUTES } from "./status/paths.ts";

export interface AccessOptions {
  readonly judge: Judge;
  readonly failures: Failures;
  /** Undefined: no limit. */
  readonly limiter?: Limiter;
  /** Where OAuth is on. */
  readonly resource?: ProtectedResource;
}

interface Shown {
  readonly authorization?: string;
  readonly cookie?: string;
  readonly signedInBy?: "form" | "cookie";
}

export function guardAccess(
  { judge, failures, limiter, resource }: AccessOptions,
): MiddlewareHandler<Env> {
  const metadataUrl = (c: RequestContext) => resource?.metadataUrl(c.req.header("host")!);
  return async (c, next) => {
    const { address } = c.env;
    const shown = await whatIsShown(c);
    if (shown instanceof Response) return shown;
    const verdict = await judge(shown.authorization, address, shown.cookie);
    const key = verdict.ok ? verdict.principal.key : address;
    const wait = limiter?.take(key);
    if (wait !== undefined) return tooMany(c, wait, "Too many requests.");
    if (verdict.ok) {
      c.set("principal", verdict.principal);
      c.set("signedInBy", shown.signedInBy);
      if (verdict.principal.oauth) c.set("metadataUrl", metadataUrl(c));
      return await next();
    }
    if (verdict.why === "issuer unreachable") {
      c.header("Retry-After", String(ISSUER_RETRY_S));
      return refuse(c, 503, "The token's issuer does not answer. Try again later.");
    }
    if (verdict.why === "wrong token") {
      const wait = await failures.note(address);
      if (wait !== undefined) return tooMany(c, wait, "Too many wrong tokens.");
    }
    c.header("WWW-Authenticate", challenge(verdict.why, metadataUrl(c)));
    return refuseEntry(c, verdict.why, verdict.message, shown);
  };
}

/** A token that somebody types has a few dozen characters. */
const MAX_FORM = 16 * 1024;

/**
 * The Authorization header; on the status page's own routes also its form, and its cookie. Never elsewhere: a browser
 * sends the cookie along whoever made it ask, so what changes HAProxy (/mcp) must not hang on it, and /metrics need not.
 */
async function whatIsShown(c: RequestContext): Promise<Shown | Response> {
  const authorization = c.req.header("authorization");
  const { path, method } = c.req;
  if (!STATUS_ROUTES.includes(path)) return { authorization };
  if (path === "/" && method === "POST" && isForm(c)) {
    const text = await readText(c, MAX_FORM);
    if (text instanceof Response) return text;
    const token = new URLSearchParams(text).get("token")?.trim() ?? "";
    return { authorization: `Bearer ${token}`, signedInBy: "form" };
  }
  const cookie = authorization === undefined ? getCookie(c, PAGE_COOKIE) : undefined;
  return { authorization, ...(cookie !== undefined && { cookie, signedInBy: "cookie" }) };
}

function refuseEntry(
  c: RequestContext,
  why: keyof typeof REFUSALS,
  more: string | undefined,
  { signedInBy }: Shown,
): Response {
  const { status, message, inShort } = REFUSALS[why];
  // Sent again, it would be one more failure each time.
  if (signedInBy === "cookie") deleteCookie(c, PAGE_COOKIE);
  if (!isForPeople(c)) return refuse(c, status, more ?? message);
  const over = "You are signed out: the token is no longer accepted.";
  // What is typed may have characters that no token has, which then counts as none.
  const usual = { form: NOT_ACCEPTED, cookie: over, none: inShort }[signedInBy ?? "none"];
  return askToSignIn(c, status, more ?? usual);
}

/** Not sooner is it asked again. */
const ISSUER_RETRY_S = 5;

const HOW = `Send "Authorization: Bearer TOKEN" with one of the token file.`;
const NOT_ACCEPTED = "This token is not accepted.";
const NO_SCOPE = "This token has none of the scopes haproxy:read and haproxy:write.";
/** In short above the form, which says how by itself. */
const REFUSALS = {
  "no token": { status: 401, message: `A token is needed. ${HOW}`, inShort: "" },
  "wrong token": { status: 401, message: `${NOT_ACCEPTED} ${HOW}`, inShort: NOT_ACCEPTED },
  "insufficient scope": { status: 403, message: NO_SCOPE, inShort: NO_SCOPE },
} as const;

/**
 * RFC 6750 §3: an error code only where a token was sent. RFC 9728 §5.1: where clients find the issuer. MCP 2025-11-25,
 * "Protected Resource Metadata Discovery Requirements": the scopes that they are to ask it for.
 */
function challenge(why: keyof typeof REFUSALS, metadataUrl: string | undefined): string {
  const parameters = [
    ...(why === "wrong token" ? [`error="invalid_token"`] : []),
    ...(why === "insufficient scope" ? [`error="insufficient_scope"`] : []),
    ...(metadataUrl ? [`scope="${SCOPES.join(" ")}"`, `resource_metadata="${metadataUrl}"`] : []),
  ];
  return ["Bearer", parameters.join(", ")].join(" ").trimEnd();
}
