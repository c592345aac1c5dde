/** How a request is refused: as JSON-RPC has it, or as a page where a person asked for one. */
import { log } from "../log.ts";
import type { RequestContext } from "./env.ts";
import { rpcError } from "./mcp/rpc_error.ts";
import { answerPage, messagePage, signInPage } from "./status/documents.ts";

export const isForm = (c: RequestContext): boolean =>
  c.req.header("content-type")?.startsWith("application/x-www-form-urlencoded") ?? false;

/** The status page or its form; an MCP client that was told the wrong path is none. */
export const isForPeople = (c: RequestContext): boolean =>
  c.req.path === "/" && (["GET", "HEAD"].includes(c.req.method) || isForm(c));

export type RefusalStatus = 400 | 401 | 403 | 404 | 405 | 408 | 413 | 429 | 503;

export function refuse(c: RequestContext, status: RefusalStatus, message: string): Response {
  log.debug(`${c.env.address} ${c.req.method} ${c.req.path}: ${status} ${message}`);
  if (isForPeople(c)) return answerPage(c, messagePage(message), status);
  return c.json(rpcError(-32000, message, { request_id: c.var.requestId }), status);
}

export function tooMany(c: RequestContext, seconds: number, what: string): Response {
  c.header("Retry-After", String(seconds));
  return refuse(c, 429, `${what} Try again after ${seconds} s.`);
}

/** @param why empty: nobody has tried yet */
export const askToSignIn = (c: RequestContext, status: 401 | 403, why: string): Response =>
  answerPage(c, signInPage(why), status);
