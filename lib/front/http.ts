/** The HTTP routes, and the guards in the order in which a request passes them. */
import { Hono, type MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { log, logWithin, newRequestId } from "../log.ts";
import { createHostCheck, createOriginCheck } from "./access/hosts.ts";
import { WELL_KNOWN } from "./access/protected_resource.ts";
import { readText } from "./body.ts";
import type { Env, RequestContext } from "./env.ts";
import { type AccessOptions, guardAccess } from "./guard_access.ts";
import type { McpEndpoint } from "./mcp/endpoint.ts";
import { rpcError } from "./mcp/rpc_error.ts";
import { refuse } from "./refuse.ts";
import { STATUS_ROUTES } from "./status/paths.ts";
import type { Status } from "./status/routes.ts";

export interface HttpOptions extends AccessOptions {
  /** Host header names that are answered. */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly mcp: McpEndpoint;
  readonly status: Status;
  /** HAProxy answers, and disk agrees with it. */
  readonly isReady: () => Promise<boolean>;
  /** Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** Told of every answer. */
  readonly onAnswer: (route: string, status: number) => void;
}

const MAX_BODY_BYTES = 1024 * 1024;

export function createHttpApp(options: HttpOptions) {
  const { allowedHosts, allowedOrigins, resource, mcp, status } = options;
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
    const text = await readText(c, MAX_BODY_BYTES);
    if (text instanceof Response) return text;
    return await mcp.handle(c.req.raw, { ...handedOn(c), parsedBody: parse(text) });
  });
  app.on(["GET", "DELETE"], "/mcp", (c) => mcp.handle(c.req.raw, handedOn(c)));
  app.all("/mcp", (c) => {
    c.header("Allow", "GET, POST, DELETE");
    return refuse(c, 405, `${c.req.method} is not a method of /mcp.`);
  });
  app.get("/", status.page);
  app.get("/status/events", status.events);
  app.post("/", (c, next) => c.var.signedInBy === "form" ? status.signIn(c) : next());
  app.post("/status/sign-out", status.signOut);
  app.notFound((c) =>
    refuse(c, 404, "There is nothing here. MCP is served at /mcp, the status page at /.")
  );
  app.onError((error, c) => {
    log.error(`${c.req.method} ${c.req.path} failed: ${error.stack ?? error}`);
    const data = { request_id: c.var.requestId };
    return c.json(rpcError(-32603, "Internal error. The agent's log says more.", data), 500);
  });
  return app;
}

const handedOn = (
  { var: { principal, requestId, metadataUrl }, env: { gone } }: RequestContext,
) => ({
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

const ROUTES = ["/mcp", "/healthz", "/readyz", "/metrics", ...STATUS_ROUTES];

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

const quoted = (header: string | undefined) => JSON.stringify(header?.slice(0, 255) ?? "");

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
