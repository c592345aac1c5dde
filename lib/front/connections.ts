/**
 * The listening socket: accepts connections, and hands each one's requests to the app.
 *
 * `Deno.serve` keeps its connections to itself: it has no time limit for a request's head, none for an idle connection,
 * and none for their number, and with Deno 2.6 each small event of a stream waits 44 ms for the client's delayed ACK. So
 * connections are accepted here, and Deno.serveHttp reads them: it is left out of Deno's types since 2.0, and works in all
 * versions that we compile with (2.6.10, 2.9.6; `no delay` ends the 44 ms).
 */

import { pause } from "../pause.ts";

export interface ConnectionLimits {
  /** Open at once. Beyond it the one that waits longest for a request makes room. */
  readonly max: number;
  /** From accepting to the end of the first request's head. */
  readonly headMs: number;
  /** From an answer that is no stream, taken or not, to the end of the next request's head. */
  readonly idleMs: number;
}

export const CONNECTION_TIMES: Omit<ConnectionLimits, "max"> = {
  headMs: 10_000,
  idleMs: 75_000,
};

/** Who is at the other end of a request's connection. */
export interface Client {
  readonly address: string;
  /** Aborts when the connection ends before the answer has left whole. */
  readonly gone: AbortSignal;
}

/** An answer that has been handed over still has to leave. */
const FLUSH_MS = 100;

export interface Listening {
  readonly port: number;
  readonly open: number;
  /** Takes no more connections; ends the idle ones at once, and each other one with its last answer. */
  drain(): Promise<void>;
  /** Ends what is left. */
  close(): void;
}

interface RequestEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): Promise<void>;
}

interface HttpConnection {
  nextRequest(): Promise<RequestEvent | null>;
  close(): void;
}

const serveHttp = (Deno as unknown as { serveHttp(conn: Deno.Conn): HttpConnection }).serveHttp;

interface Open {
  /** Requests that have no whole answer yet. */
  busy: number;
  end(): void;
}

/** Throws Deno's errors where it can't listen. */
export function listen(
  { hostname, port }: { readonly hostname: string; readonly port: number },
  handle: (request: Request, client: Client) => Promise<Response>,
  limits: ConnectionLimits,
): Listening {
  const listener = Deno.listen({ hostname, port });
  const connections = new Set<Open>();
  /** Those that wait for a request, the one that waits longest first. */
  const idle = new Set<Open>();
  let draining = false;
  const emptied = Promise.withResolvers<void>();

  async function accept(): Promise<void> {
    for (;;) {
      let connection: Deno.TcpConn;
      try {
        connection = await listener.accept();
      } catch (cause) {
        if (draining) return;
        if (cause instanceof Deno.errors.ConnectionReset) continue;
        // No file descriptor is left.
        makeRoom();
        await pause(100);
        continue;
      }
      if (connections.size >= limits.max) makeRoom();
      void serve(connection).catch(() => {});
    }
  }

  const makeRoom = () => idle.values().next().value?.end();

  async function serve(connection: Deno.TcpConn): Promise<void> {
    const gone = new AbortController();
    const client: Client = { address: connection.remoteAddr.hostname, gone: gone.signal };
    let http: HttpConnection | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const end = () => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      connections.delete(open);
      idle.delete(open);
      if (open.busy > 0) gone.abort(new DOMException("The connection was closed.", "AbortError"));
      for (const each of [http, connection]) closeQuietly(each);
      if (draining && connections.size === 0) emptied.resolve();
    };
    const open: Open = { busy: 0, end };
    const waitAtMost = (ms: number) => {
      clearTimeout(timer);
      idle.add(open);
      timer = setTimeout(end, ms);
    };
    connections.add(open);
    if (connections.size > limits.max) return end();
    waitAtMost(limits.headMs);
    try {
      connection.setNoDelay(true);
      http = serveHttp(connection);
      for (;;) {
        const event = await http.nextRequest();
        if (event === null) break;
        clearTimeout(timer);
        idle.delete(open);
        open.busy++;
        void answer(event).finally(() => {
          if (--open.busy > 0) return;
          if (!over) waitAtMost(draining ? FLUSH_MS : limits.idleMs);
        });
      }
    } catch {
      // No HTTP, or the client has gone.
    } finally {
      // Also where an answer is under way: nothing else tells that its reader has gone.
      end();
    }

    async function answer({ request, respondWith }: RequestEvent): Promise<void> {
      try {
        await respondWith(handle(request, client));
      } catch {
        // The client has gone; a body that streams has been cancelled.
        end();
      }
    }
  }

  void accept();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    get open() {
      return connections.size;
    },
    drain() {
      if (draining) return emptied.promise;
      draining = true;
      listener.close();
      for (const open of [...idle]) open.end();
      if (connections.size === 0) emptied.resolve();
      return emptied.promise;
    },
    close() {
      for (const open of [...connections]) open.end();
    },
  };
}

function closeQuietly(closable: { close(): void } | undefined): void {
  try {
    closable?.close();
  } catch {
    // Closed already.
  }
}
