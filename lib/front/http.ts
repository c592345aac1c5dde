/** The HTTP routes, and the guards in the order in which a request passes them. */
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { readRequestBody } from "@modelcontextprotocol/server";
import { log, logWithin, newRequestId } from "../log.ts";
import type { Failures } from "./access/failures.ts";
import { createHostCheck, createOriginCheck } from "./access/hosts.ts";
import type { Judge } from "./access/judge.ts";
import { type Principal, SCOPES } from "./access/principal.ts";
import { type ProtectedResource, WELL_KNOWN } from "./access/protected_resource.ts";
import type { Limiter } from "./access/rate.ts";
import { drop } from "./drop.ts";
import type { Client } from "./connections.ts";
import type { McpEndpoint } from "./mcp/endpoint.ts";
import { rpcError } from "./mcp/rpc_error.ts";

export interface HttpOptions {
  /** Host header names that are answered. */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly judge: Judge;
  readonly failures: Failures;
  /** Undefined: no limit. */
  readonly limiter?: Limiter;
  /** Where OAuth is on. */
  readonly resource?: ProtectedResource;
  readonly mcp: McpEndpoint;
  /** HAProxy answers, and disk agrees with it. */
  readonly isReady: () => Promise<boolean>;
  /** Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** Told of every answer. */
  readonly onAnswer: (route: string, status: number) => void;
}

interface Env {
  Bindings: Client;
  Variables: {
    readonly requestId: string;
    readonly principal: Principal;
    readonly metadataUrl?: string;
  };
}

const MAX_BODY_BYTES = 1024 * 1024;
const BODY_MS = 20_000;

export function createHttpApp(options: HttpOptions) {
  const { allowedHosts, allowedOrigins, resource, mcp } = options;
  const app = new Hono<Env>();
  app.use(identify(options.onAnswer));
  app.get("/healthz", (c) => c.text("ok"));
  app.get(
    "/readyz",
    async (c) => await options.isReady() ? c.text("ready") : c.text("not ready", 503),
  );
  app.use(guardHosts(allowedHosts, allowedOrigins));
  if (resource) {
    // RFC 9728, 3.1: the resource's path follows, which a proxy before us may have chosen.
    app.get(`${WELL_KNOWN}/*`, (c) => c.json(resource.metadata(c.req.header("host")!)));
  }
  app.use(guardAccess(options));
  app.get("/metrics", async (c) => {
    c.header("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return c.body(await options.metrics());
  });
  app.on("POST", "/mcp", async (c) => {
    const body = await readBody(c);
    if (body === "late") return refuse(c, 408, "The body did not arrive in time. Send it again.");
    if (body === "broken") return refuse(c, 400, "The body broke off, or is no HTTP.");
    if (body.tooLarge) {
      await drop(c.req.raw.body);
      return refuse(c, 413, `The body is larger than ${MAX_BODY_BYTES} bytes. Send less at once.`);
    }
    return await mcp.handle(c.req.raw, { ...handedOn(c), parsedBody: parse(body.text) });
  });
  app.on(["GET", "DELETE"], "/mcp", (c) => mcp.handle(c.req.raw, handedOn(c)));
  app.all("/mcp", (c) => {
    c.header("Allow", "GET, POST, DELETE");
    return refuse(c, 405, `${c.req.method} is not a method of /mcp.`);
  });
  app.notFound((c) => refuse(c, 404, "There is nothing here. MCP is served at /mcp."));
  app.onError((error, c) => {
    log.error(`${c.req.method} ${c.req.path} failed: ${error.stack ?? error}`);
    const data = { request_id: c.var.requestId };
    return c.json(rpcError(-32603, "Internal error. The agent's log says more.", data), 500);
  });
  return app;
}

const handedOn = ({ var: { principal, requestId, metadataUrl }, env: { gone } }: Context<Env>) => ({
  admitted: { principal, requestId, metadataUrl },
  gone,
});

/** Each request has an id, which its log lines, its errors and its answer's X-Request-Id bear. */
function identify(onAnswer: HttpOptions["onAnswer"]): MiddlewareHandler<Env> {
  return async (c, next) => {
    const requestId = newRequestId();
    c.set("requestId", requestId);
    await logWithin(requestId, next);
    // Set in place: Hono's own way would make a new answer of it, whose body is a stream and no longer one write.
    const { headers } = c.res;
    headers.set("X-Request-Id", requestId);
    // No cache may keep what a token was needed for; no-transform keeps Deno.serveHttp from compressing it.
    if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store, no-transform");
    // RFC 9112, 6.1 and 6.3: with a Content-Length beside it, somebody on the way may see other requests in these bytes
    // than we do. Deno shows the one header only, so that none of the two is told from both.
    if (c.req.header("transfer-encoding") !== undefined) headers.set("Connection", "close");
    onAnswer(ROUTES.includes(c.req.path) ? c.req.path : "other", c.res.status);
  };
}

const ROUTES = ["/mcp", "/healthz", "/readyz", "/metrics"];

/** Host first, then Origin: after both, what a browser sends comes from a page that we know. */
function guardHosts(hosts: readonly string[], origins: readonly string[]): MiddlewareHandler<Env> {
  const isHost = createHostCheck(hosts);
  const isOrigin = createOriginCheck(origins);
  const answerBrowsers = cors({
    origin: (origin) => origin,
    allowMethods: ["GET", "POST", "DELETE"],
    exposeHeaders: ["Mcp-Session-Id", "WWW-Authenticate", "X-Request-Id", "Retry-After"],
    maxAge: 600,
  });
  return async (c, next) => {
    const host = c.req.header("host");
    const origin = c.req.header("origin");
    if (host === undefined) {
      return refuse(c, 403, "There is no Host header. HTTP/1.1 is served here, and not HTTP/2.");
    }
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

function guardAccess(
  { judge, failures, limiter, resource }: HttpOptions,
): MiddlewareHandler<Env> {
  const metadataUrl = (c: Context<Env>) => resource?.metadataUrl(c.req.header("host")!);
  return async (c, next) => {
    const { address } = c.env;
    const verdict = await judge(c.req.header("authorization"), address);
    const key = verdict.ok ? verdict.principal.key : address;
    const wait = limiter?.take(key);
    if (wait !== undefined) return tooMany(c, wait, "Too many requests.");
    if (verdict.ok) {
      c.set("principal", verdict.principal);
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
    const { status, message } = REFUSALS[verdict.why];
    return refuse(c, status, verdict.message ?? message);
  };
}

/** Not sooner is it asked again. */
const ISSUER_RETRY_S = 5;

const HOW = `Send "Authorization: Bearer TOKEN" with one of the token file.`;
const REFUSALS = {
  "no token": { status: 401, message: `A token is needed. ${HOW}` },
  "wrong token": { status: 401, message: `This token is not accepted. ${HOW}` },
  "insufficient scope": {
    status: 403,
    message: "This token has none of the scopes haproxy:read and haproxy:write.",
  },
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

function tooMany(c: Context<Env>, seconds: number, what: string) {
  c.header("Retry-After", String(seconds));
  return refuse(c, 429, `${what} Try again after ${seconds} s.`);
}

function refuse(
  c: Context<Env>,
  status: 400 | 401 | 403 | 404 | 405 | 408 | 413 | 429 | 503,
  message: string,
) {
  log.debug(`${c.env.address} ${c.req.method} ${c.req.path}: ${status} ${message}`);
  return c.json(rpcError(-32000, message, { request_id: c.var.requestId }), status);
}

const quoted = (header: string | undefined) => JSON.stringify(header?.slice(0, 255) ?? "");

/** A sender that is slow, or has gone, is not waited for. */
async function readBody({ req }: Context<Env>) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), BODY_MS));
  // A length that is told and small is kept to by what reads HTTP: the body can be taken whole, at a quarter of the cost.
  // But of a body in chunks a Content-Length beside them says nothing (RFC 9112, 6.3).
  const isSmall = req.header("transfer-encoding") === undefined &&
    Number(req.header("content-length") ?? Infinity) <= MAX_BODY_BYTES;
  const read = isSmall
    ? req.raw.text().then((text) => ({ tooLarge: false as const, text }))
    : readRequestBody(req.raw, MAX_BODY_BYTES);
  const body = read.catch((): "broken" => "broken");
  try {
    return await Promise.race([body, late]);
  } finally {
    clearTimeout(timer);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
