/** What answers /mcp behind the guards: sessions of the older protocols, single requests of 2026-07-28. */
import {
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  type McpServerFactory,
} from "@modelcontextprotocol/server";
import { coalesce, isStream } from "../coalesce.ts";
import { follow } from "../follow.ts";
import type { Lasting } from "../lasting.ts";
import type { SessionLimits } from "../sessions.ts";
import type { Share } from "../share.ts";
import type { Changes } from "./changes.ts";
import { type HandedOn, HOLD_MS, logRefusal, type TakenOn, toHandlers } from "./handed_on.ts";
import { listenedIn } from "./messages.ts";
import { MAX_SUBSCRIBED } from "./resources.ts";
import { busy, rpcError, rpcResponse } from "./rpc_error.ts";
import { createSessionEndpoint } from "./session_endpoint.ts";

export interface McpEndpoint {
  handle(request: Request, handed: HandedOn): Promise<Response>;
  readonly sessions: number;
  /** Ends the sessions of whoever is no longer let in. */
  revoke(isOut: (key: string) => boolean): void;
  /** Ends all sessions and what is in flight. */
  close(): Promise<void>;
}

export interface EndpointOptions {
  readonly newServer: McpServerFactory;
  readonly changes: Pick<Changes, "bus" | "listen">;
  readonly limits: SessionLimits & {
    /** Lasting streams that may be open at once. */
    readonly maxStreams: number;
  };
  /** A session's GET, and subscriptions/listen. */
  readonly lasting: Lasting;
  /** Requests of one principal that are without a whole answer, lasting streams included. */
  readonly share: Share;
}

/** A session keeps what its client says of itself. */
const MAX_INITIALIZE = 64 * 1024;

export function createMcpEndpoint(options: EndpointOptions): McpEndpoint {
  const { newServer, changes, limits, lasting, share } = options;
  const sessions = createSessionEndpoint({ newServer, limits, lasting });
  const modern = createMcpHandler(newServer, {
    legacy: "reject",
    onerror: logRefusal,
    bus: changes.bus,
    maxSubscriptions: limits.maxStreams,
  });

  async function handleModern(
    { url, method, headers }: Request,
    handed: TakenOn,
    signal: AbortSignal,
    onEnd: () => void = () => {},
  ): Promise<Response> {
    const own = follow(signal);
    const end = () => {
      own.release();
      onEnd();
      handed.release();
    };
    try {
      // A signal of ours: that of Deno.serveHttp's requests tells of no closed connection.
      const request = new Request(url, { method, headers, signal: own.controller.signal });
      return await coalesce(await modern.fetch(request, toHandlers(handed)), HOLD_MS, signal, end);
    } catch (cause) {
      end();
      throw cause;
    }
  }

  async function listen(request: Request, handed: TakenOn, uris: readonly string[]) {
    if (uris.length > MAX_SUBSCRIBED) {
      const { id = null } = handed.parsedBody as { id?: number | string };
      const message = `A stream subscribes to ${MAX_SUBSCRIBED} resources at most.`;
      return Response.json({ ...rpcError(-32602, message), id });
    }
    const stream = lasting.open(handed.admitted.principal, handed.gone);
    if (!stream) return busy("All streams are in use.");
    const forget = changes.listen(uris);
    const end = () => {
      stream.close();
      forget();
    };
    return await handleModern(request, handed, stream.signal, end);
  }

  async function route(request: Request, handed: TakenOn): Promise<Response> {
    const { parsedBody, gone } = handed;
    if (request.method === "POST" && parsedBody === undefined) {
      return rpcResponse(400, -32700, "Parse error");
    }
    if (!await isLegacyRequest(request, parsedBody)) {
      const uris = listenedIn(parsedBody);
      return uris ? await listen(request, handed, uris) : await handleModern(request, handed, gone);
    }
    const id = request.headers.get("mcp-session-id");
    if (id !== null) return await sessions.handle(id, request, handed);
    if (!isInitializeRequest(parsedBody)) {
      return rpcResponse(400, -32000, "Bad Request: Mcp-Session-Id header is required");
    }
    if (JSON.stringify(parsedBody).length > MAX_INITIALIZE) {
      return rpcResponse(413, -32000, `initialize is larger than ${MAX_INITIALIZE} bytes`);
    }
    return await sessions.start(request, handed);
  }

  return {
    get sessions() {
      return sessions.size;
    },
    async handle(request, handed) {
      const release = share.take(handed.admitted.principal.key);
      if (!release) return busy("Too many requests of this caller have no answer yet.");
      try {
        const response = await route(request, { ...handed, release });
        // A stream does so itself, when it has ended.
        if (!isStream(response)) release();
        return response;
      } catch (cause) {
        release();
        throw cause;
      }
    },
    revoke: sessions.revoke,
    async close() {
      sessions.close();
      await modern.close();
    },
  };
}
