/** MCP over HTTP: the Hono app, with the guards in the order in which they are passed. */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { type AuthInfo, readRequestBody } from "@modelcontextprotocol/server";
import { type Judge, toAuthInfo } from "./auth.ts";
import { log } from "../log.ts";
import { createHostCheck, createOriginCheck } from "./hosts.ts";
import { type McpEndpoint, rpcError } from "./mcp/endpoint.ts";

export interface HttpOptions {
  /** Host header names that are answered. */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly judge: Judge;
  readonly mcp: McpEndpoint;
}

/** What Deno.serve tells about a request, and what a guard found out. */
interface Env {
  Bindings: Pick<Deno.ServeHandlerInfo<Deno.NetAddr>, "remoteAddr">;
  Variables: { readonly authInfo: AuthInfo };
}

const MAX_BODY_BYTES = 1024 * 1024;
/** So much more is taken in and dropped, and for so long, that its sender lives to read the refusal. */
const MAX_DROPPED_BYTES = 16 * MAX_BODY_BYTES;
const DROP_MS = 2_000;

export function createHttpApp({ allowedHosts, allowedOrigins, judge, mcp }: HttpOptions) {
  const app = new Hono<Env>();
  app.get("/healthz", (c) => c.text("ok"));
  app.use(guardHosts(allowedHosts, allowedOrigins));
  app.use(guardAccess(judge));
  app.on("POST", "/mcp", async (c) => {
    const body = await readRequestBody(c.req.raw, MAX_BODY_BYTES);
    if (body.tooLarge) {
      await drop(c.req.raw.body);
      return refuse(c, 413, `The body is larger than ${MAX_BODY_BYTES} bytes. Send less at once.`);
    }
    return await mcp.handle(c.req.raw, { parsedBody: parse(body.text), authInfo: c.var.authInfo });
  });
  app.on(["GET", "DELETE"], "/mcp", (c) => mcp.handle(c.req.raw, { authInfo: c.var.authInfo }));
  app.all("/mcp", (c) => {
    c.header("Allow", "GET, POST, DELETE");
    return refuse(c, 405, `${c.req.method} is not a method of /mcp.`);
  });
  app.onError((error, c) => {
    log.error(`${c.req.method} ${c.req.path} failed: ${error.stack ?? error}`);
    return c.json(rpcError(-32603, "Internal error. The agent's log says more."), 500);
  });
  return app;
}

/** Host first, then Origin: after both, what a browser sends comes from a page that we know. */
function guardHosts(hosts: readonly string[], origins: readonly string[]): MiddlewareHandler<Env> {
  const isHost = createHostCheck(hosts);
  const isOrigin = createOriginCheck(origins);
  const answerBrowsers = cors({
    origin: (origin) => origin,
    allowMethods: ["GET", "POST", "DELETE"],
    exposeHeaders: ["Mcp-Session-Id", "WWW-Authenticate"],
    maxAge: 600,
  });
  return async (c, next) => {
    const host = c.req.header("host");
    const origin = c.req.header("origin");
    if (!isHost(host)) {
      return refuse(
        c,
        403,
        `The Host ${quoted(host)} is not served. List it in MCP_ALLOWED_HOSTS.`,
      );
    }
    if (!isOrigin(origin, host) || (c.req.method === "OPTIONS" && origin === undefined)) {
      const hint = "List it in MCP_ALLOWED_ORIGINS.";
      return refuse(c, 403, `The Origin ${quoted(origin)} is not allowed. ${hint}`);
    }
    return origin === undefined ? await next() : await answerBrowsers(c, next);
  };
}

function guardAccess(judge: Judge): MiddlewareHandler<Env> {
  return async (c, next) => {
    const peer = c.env.remoteAddr.hostname;
    const verdict = await judge(c.req.header("authorization"), peer);
    if (verdict.ok) {
      c.set("authInfo", toAuthInfo(verdict.access, peer));
      return await next();
    }
    const isWrong = verdict.why === "wrong token";
    // RFC 6750 §3.1: an error code only where a token was sent.
    c.header("WWW-Authenticate", isWrong ? `Bearer error="invalid_token"` : "Bearer");
    const what = isWrong ? "This token is not accepted." : "A token is needed.";
    return refuse(c, 401, `${what} Send "Authorization: Bearer TOKEN" with one of the token file.`);
  };
}

function refuse(c: Context<Env>, status: 401 | 403 | 405 | 413, message: string) {
  log.debug(`${c.env.remoteAddr.hostname} ${c.req.method} ${c.req.path}: ${status} ${message}`);
  return c.json(rpcError(-32000, message), status);
}

const quoted = (header: string | undefined) => JSON.stringify(header?.slice(0, 255) ?? "");

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function drop(body: ReadableStream<Uint8Array> | null): Promise<void> {
  const reader = body?.getReader();
  if (!reader) return;
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), DROP_MS);
  try {
    for (let dropped = 0; dropped < MAX_DROPPED_BYTES;) {
      const { done, value } = await reader.read();
      if (done) return;
      dropped += value.byteLength;
    }
  } catch {
    // The sender has gone.
  } finally {
    clearTimeout(timer);
    reader.releaseLock();
  }
}
