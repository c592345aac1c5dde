/** What answers /mcp behind the guards: sessions of the older protocols, single requests of 2026-07-28. */
import {
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  type McpServerFactory,
  type RequestId,
  type ServerEventBus,
  WebStandardStreamableHTTPServerTransport as SessionTransport,
} from "@modelcontextprotocol/server";
import { log } from "../../log.ts";
import { type Admitted, toAuthInfo } from "../access/principal.ts";
import { coalesce, watchEnd } from "../coalesce.ts";
import { createSessions, type SessionLimits } from "../sessions.ts";
import { createEventStore } from "./event_store.ts";
import { rpcResponse } from "./rpc_error.ts";

export interface McpEndpoint {
  /** @param options.parsedBody a POST's body; undefined when it was not JSON */
  handle(request: Request, options: {
    readonly parsedBody?: unknown;
    readonly admitted: Admitted;
    /** Aborts when nobody is left to read the answer. */
    readonly gone: AbortSignal;
  }): Promise<Response>;
  readonly sessions: number;
  /** Streams that last: a session's GET, and subscriptions/listen. */
  readonly streams: number;
  /** Ends all sessions and what is in flight. */
  close(): Promise<void>;
}

export interface EndpointOptions {
  readonly newServer: McpServerFactory;
  /** What subscriptions/listen streams hang on. */
  readonly bus: ServerEventBus;
  readonly limits: SessionLimits & {
    /** Lasting streams that may be open at once. */
    readonly maxStreams: number;
  };
}

/** How long an answer is held back until its end is known. */
const HOLD_MS = 200;

/** A session that is idle ends a quarter of the limit late at most, and a minute late at most. */
const sweepEveryMs = (idleMs: number) => Math.min(idleMs / 4, 60_000);

/** When a client that lost its stream shall come back, in milliseconds. */
const RETRY_MS = 1_000;

/** A session answers to whoever opened it, and to nobody else. */
interface Session {
  readonly transport: SessionTransport;
  readonly owner: string;
}

export function createMcpEndpoint(options: EndpointOptions): McpEndpoint {
  const { newServer, bus, limits } = options;
  let streams = 0;
  const modern = createMcpHandler(newServer, {
    legacy: "reject",
    onerror: logRefusal,
    bus,
    maxSubscriptions: limits.maxStreams,
  });
  const sessions = createSessions<Session>(limits, ({ transport }) => {
    void transport.close();
  });
  const sweeper = setInterval(sessions.sweep, sweepEveryMs(limits.idleMs));

  async function handleInSession(id: string, request: Request, handed: HandedOn) {
    const session = sessions.use(id);
    if (session?.owner !== handed.admitted.principal.key) {
      return rpcResponse(404, -32001, "Session not found");
    }
    const { transport } = session;
    const isStream = request.method === "GET";
    if (isStream && streams >= limits.maxStreams) return busy("All streams are in use.");
    const release = sessions.hold(id);
    if (isStream) streams++;
    const end = () => {
      release();
      if (isStream) streams--;
    };
    try {
      const response = await transport.handleRequest(request, toHandlers(handed));
      for (const requestId of cancelledIn(handed.parsedBody)) {
        // The SDK answers nothing to a cancelled call, and leaves its stream open for ever.
        transport.closeSSEStream(requestId);
      }
      return request.method === "POST"
        ? await coalesce(response, HOLD_MS, handed.gone, end)
        : watchEnd(response, handed.gone, end);
    } catch (cause) {
      end();
      throw cause;
    }
  }

  async function startSession(request: Request, handed: HandedOn) {
    const id = crypto.randomUUID();
    const transport = new SessionTransport({
      eventStore: createEventStore(),
      retryInterval: RETRY_MS,
      sessionIdGenerator: () => id,
      onsessionclosed: sessions.remove,
    });
    transport.onerror = logRefusal;
    if (!sessions.add(id, { transport, owner: handed.admitted.principal.key })) {
      return busy("All sessions are in use.");
    }
    try {
      await (await newServer({ era: "legacy" })).connect(transport);
      return await handleInSession(id, request, handed);
    } finally {
      if (transport.sessionId === undefined) sessions.remove(id);
    }
  }

  return {
    get sessions() {
      return sessions.size;
    },
    get streams() {
      return streams;
    },
    async handle(request, handed) {
      const { parsedBody } = handed;
      if (request.method === "POST" && parsedBody === undefined) {
        return rpcResponse(400, -32700, "Parse error");
      }
      if (!await isLegacyRequest(request, parsedBody)) {
        // A signal of ours: that of Deno.serveHttp's requests tells of no closed connection.
        const { url, method: verb, headers } = request;
        const init = { method: verb, headers, signal: handed.gone };
        const response = await modern.fetch(new Request(url, init), toHandlers(handed));
        const { method } = (parsedBody ?? {}) as { method?: unknown };
        const lasts = method === "subscriptions/listen" ? 1 : 0;
        streams += lasts;
        return await coalesce(response, HOLD_MS, handed.gone, () => streams -= lasts);
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

const toHandlers = ({ parsedBody, admitted }: HandedOn) => ({
  parsedBody,
  authInfo: toAuthInfo(admitted),
});

const busy = (what: string) =>
  rpcResponse(503, -32000, `${what} Try again later.`, { "Retry-After": "10" });

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
