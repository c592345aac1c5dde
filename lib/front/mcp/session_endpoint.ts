/** /mcp for the protocols up to 2025-11-25: sessions, which answer to whoever opened them and to nobody else. */
import {
  type McpServerFactory,
  WebStandardStreamableHTTPServerTransport as SessionTransport,
} from "@modelcontextprotocol/server";
import { coalesce, isStream, watchEnd } from "../coalesce.ts";
import type { Lasting } from "../lasting.ts";
import { createSessions, type SessionLimits } from "../sessions.ts";
import { HOLD_MS, logRefusal, type TakenOn, toHandlers } from "./handed_on.ts";
import { createEventStore, type EventStore } from "./event_store.ts";
import { cancelledIn, requestsIn } from "./messages.ts";
import { busy, rpcResponse } from "./rpc_error.ts";

export interface SessionEndpoint {
  readonly size: number;
  start(request: Request, handed: TakenOn): Promise<Response>;
  handle(id: string, request: Request, handed: TakenOn): Promise<Response>;
  /** Ends the sessions of whoever is no longer let in. */
  revoke(isOut: (key: string) => boolean): void;
  close(): void;
}

interface Session {
  readonly transport: SessionTransport;
  readonly events: EventStore;
  /** The principal's key. */
  readonly owner: string;
}

/** A session that is idle ends a quarter of the limit late at most, and a minute late at most. */
const sweepEveryMs = (idleMs: number) => Math.min(idleMs / 4, 60_000);

/** When a client that lost its stream shall come back, in milliseconds. */
const RETRY_MS = 1_000;

export function createSessionEndpoint(
  { newServer, limits, lasting }: {
    readonly newServer: McpServerFactory;
    readonly limits: SessionLimits;
    readonly lasting: Lasting;
  },
): SessionEndpoint {
  const sessions = createSessions<Session>(limits, ({ transport }) => {
    void transport.close();
  });
  const sweeper = setInterval(sessions.sweep, sweepEveryMs(limits.idleMs));

  async function handle(id: string, request: Request, handed: TakenOn): Promise<Response> {
    const session = sessions.use(id);
    const { principal } = handed.admitted;
    if (session?.owner !== principal.key) return rpcResponse(404, -32001, "Session not found");
    const { transport, events } = session;
    const isGet = request.method === "GET";
    // For event streams this says that there is nothing to come back for (HTML, 9.2.2).
    if (isGet && events.isClosed(request.headers.get("last-event-id") ?? "")) {
      return new Response(null, { status: 204 });
    }
    const requests = requestsIn(handed.parsedBody);
    const taken = events.inUse(requests);
    if (taken !== undefined) {
      const message = `The request id ${JSON.stringify(taken)} is in use. Give each another one.`;
      return rpcResponse(400, -32600, message);
    }
    const stream = isGet ? lasting.open(principal, handed.gone) : undefined;
    if (isGet && !stream) return busy("All streams are in use.");
    const release = sessions.hold(id);
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      release();
      stream?.close();
      handed.release();
    };
    try {
      const { parsedBody } = handed;
      const response = await events.within(
        requests,
        () => transport.handleRequest(request, toHandlers(handed)),
      );
      if (!isStream(response)) events.forget(requests);
      for (const requestId of cancelledIn(parsedBody)) {
        // The SDK answers nothing to a cancelled call, and leaves its stream open for ever.
        transport.closeSSEStream(requestId);
        events.close(requestId);
      }
      return stream
        ? watchEnd(response, stream.signal, end)
        : await coalesce(response, HOLD_MS, handed.gone, end);
    } catch (cause) {
      events.forget(requests);
      end();
      throw cause;
    }
  }

  return {
    get size() {
      return sessions.size;
    },
    handle,
    async start(request, handed) {
      const id = crypto.randomUUID();
      const events = createEventStore();
      const transport = new SessionTransport({
        eventStore: events,
        retryInterval: RETRY_MS,
        sessionIdGenerator: () => id,
        onsessionclosed: sessions.remove,
      });
      transport.onerror = logRefusal;
      if (!sessions.add(id, { transport, events, owner: handed.admitted.principal.key })) {
        return busy("All sessions are in use.");
      }
      try {
        await (await newServer({ era: "legacy" })).connect(transport);
        return await handle(id, request, handed);
      } finally {
        if (transport.sessionId === undefined) sessions.end(id);
      }
    },
    revoke: (isOut) => sessions.endWhere(({ owner }) => isOut(owner)),
    close() {
      clearInterval(sweeper);
      sessions.endWhere(() => true);
    },
  };
}
