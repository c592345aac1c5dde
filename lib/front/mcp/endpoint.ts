/** What answers /mcp behind the guards: sessions of the older protocols, single requests of 2026-07-28. */
import {
  type AuthInfo,
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  type McpServerFactory,
  type RequestId,
  WebStandardStreamableHTTPServerTransport as SessionTransport,
  type WebStandardStreamableHTTPServerTransportOptions as SessionOptions,
} from "@modelcontextprotocol/server";
import { log } from "../../log.ts";
import { coalesce, watchEnd } from "../coalesce.ts";
import { createSessions, type SessionLimits } from "../sessions.ts";

export interface McpEndpoint {
  /** @param options.parsedBody a POST's body; undefined when it was not JSON */
  handle(request: Request, options: {
    readonly parsedBody?: unknown;
    readonly authInfo: AuthInfo;
  }): Promise<Response>;
  /** Ends all sessions and what is in flight. */
  close(): Promise<void>;
}

export interface EndpointOptions {
  readonly newServer: McpServerFactory;
  readonly limits: SessionLimits;
  /** Made anew for each session; test builds bring an event store. */
  readonly sessionOptions?: () => SessionOptions;
}

/** How long an answer is held back until its end is known. */
const HOLD_MS = 200;

/** A session that is idle ends a quarter of the limit late at most, and a minute late at most. */
const sweepEveryMs = (idleMs: number) => Math.min(idleMs / 4, 60_000);

export function createMcpEndpoint(options: EndpointOptions): McpEndpoint {
  const { newServer, limits, sessionOptions } = options;
  const modern = createMcpHandler(newServer, { legacy: "reject", onerror: logRefusal });
  const sessions = createSessions<SessionTransport>(limits, (transport) => {
    void transport.close();
  });
  const sweeper = setInterval(sessions.sweep, sweepEveryMs(limits.idleMs));

  async function handleInSession(id: string, request: Request, handed: HandedOn) {
    const transport = sessions.use(id);
    if (!transport) return rpcResponse(404, -32001, "Session not found");
    const release = sessions.hold(id);
    try {
      const response = await transport.handleRequest(request, handed);
      for (const requestId of cancelledIn(handed.parsedBody)) {
        // The SDK answers nothing to a cancelled call, and leaves its stream open for ever.
        transport.closeSSEStream(requestId);
      }
      return request.method === "POST"
        ? await coalesce(response, HOLD_MS, release)
        : watchEnd(response, release);
    } catch (cause) {
      release();
      throw cause;
    }
  }

  async function startSession(request: Request, handed: HandedOn) {
    const id = crypto.randomUUID();
    const transport = new SessionTransport({
      ...sessionOptions?.(),
      sessionIdGenerator: () => id,
      onsessionclosed: sessions.remove,
    });
    transport.onerror = logRefusal;
    if (!sessions.add(id, transport)) {
      return rpcResponse(503, -32000, "All sessions are in use. Try again later.", {
        "Retry-After": "10",
      });
    }
    try {
      await (await newServer({ era: "legacy" })).connect(transport);
      return await handleInSession(id, request, handed);
    } finally {
      if (transport.sessionId === undefined) sessions.remove(id);
    }
  }

  return {
    async handle(request, handed) {
      const { parsedBody } = handed;
      if (request.method === "POST" && parsedBody === undefined) {
        return rpcResponse(400, -32700, "Parse error");
      }
      if (!await isLegacyRequest(request, parsedBody)) {
        return await coalesce(await modern.fetch(request, handed), HOLD_MS, () => {});
      }
      const id = request.headers.get("mcp-session-id");
      if (id !== null) return await handleInSession(id, request, handed);
      if (isInitializeRequest(parsedBody)) return await startSession(request, handed);
      return rpcResponse(400, -32000, "Bad Request: Mcp-Session-Id header is required");
    },
    async close() {
      clearInterval(sweeper);
      sessions.endAll();
      await modern.close();
    },
  };
}

type HandedOn = Parameters<McpEndpoint["handle"]>[1];

/** What the SDK refuses is the client's affair, and answered; an operator may want to see it. */
const logRefusal = (error: Error) => log.debug(`MCP: ${error.message}`);

/** The calls that a body's notifications/cancelled name. */
function cancelledIn(body: unknown): readonly RequestId[] {
  return [body].flat().flatMap((message) => {
    const { method, params } = (message ?? {}) as {
      method?: unknown;
      params?: { requestId?: RequestId };
    };
    const requestId = method === "notifications/cancelled" ? params?.requestId : undefined;
    return requestId === undefined ? [] : [requestId];
  });
}

export const rpcError = (code: number, message: string) => ({
  jsonrpc: "2.0",
  id: null,
  error: { code, message },
});

const rpcResponse = (status: number, code: number, message: string, headers?: HeadersInit) =>
  Response.json(rpcError(code, message), { status, headers });
