/**
 * HTTP/2 over TLS under load, several requests at once on each connection. The frames are read by hand:
 * what a GOAWAY or a RST_STREAM says about a request decides whether it failed.
 */
import { encodeRequest, FRAME, frame, parseFrames, PREFACE, statusOf } from "./h2_frames.ts";
import { inTime, openSocket, pause, type Trust } from "./socket.ts";
import { type Asked, type Load, type LoadOptions, startClients, type Tally } from "./tally.ts";

export interface H2LoadOptions extends LoadOptions {
  readonly tls: Trust;
  /** Requests at a time on one connection. @default {4} */
  readonly streams?: number;
}

/** RFC 9113, section 7. */
const REFUSED_STREAM = 7;
/** A request that no connection takes is no longer unlucky. */
const TRIES = 5;

/** The request was certainly not looked at: it is safe to send it again (RFC 9113, section 8.7). */
class Unprocessed extends Error {}

interface Session {
  /** No new request may go here. */
  readonly closing: boolean;
  ask(host: string, path: string): Promise<{ readonly status: number; readonly body: string }>;
  close(): void;
}

export function startH2Load(options: H2LoadOptions): Load {
  const { address = "127.0.0.1", port, host, tls, pause: most = 5, fresh = false } = options;
  const streams = fresh ? 1 : options.streams ?? 4;

  async function client(tally: Tally): Promise<void> {
    let session: Promise<Session> | undefined;
    /** One for all that ask at the same time. */
    async function current(): Promise<Session> {
      if (session !== undefined && !(await session).closing) return session;
      const opened = openSession(address, port, tls);
      session = opened;
      opened.then(tally.connected, () => session = undefined);
      return await opened;
    }

    async function one(asked: Asked): Promise<void> {
      for (let attempt = 1;; attempt++) {
        const session = await inTime(current());
        try {
          const { status, body } = await inTime(session.ask(host, asked.path));
          if (fresh) session.close();
          return tally.answered(asked, status, body);
        } catch (error) {
          if (!(error instanceof Unprocessed) || attempt === TRIES) throw error;
          tally.retried();
        }
      }
    }

    async function stream(): Promise<void> {
      while (!tally.stopped.aborted) {
        const asked = tally.next();
        await one(asked).catch((error) => tally.failed(asked, String(error)));
        await pause(most, tally.stopped);
      }
    }

    await Promise.all(Array.from({ length: streams }, stream));
    (await session?.catch(() => undefined))?.close();
  }

  return startClients(options, client);
}

interface Stream {
  status?: number;
  body: string;
  readonly answer: PromiseWithResolvers<{ readonly status: number; readonly body: string }>;
}

async function openSession(hostname: string, port: number, tls: Trust): Promise<Session> {
  const socket = await openSocket(hostname, port, { ...tls, protocol: "h2" });
  const streams = new Map<number, Stream>();
  let closing = false;
  let nextId = 1;
  let writing = socket.write(PREFACE);

  /** Frames keep their order and are never mixed. */
  function send(bytes: Uint8Array): void {
    writing = writing.then(() => socket.write(bytes)).catch(() => {});
  }

  function end(id: number, error?: Error): void {
    const stream = streams.get(id);
    if (stream === undefined) return;
    streams.delete(id);
    const { status, body, answer } = stream;
    if (error !== undefined) answer.reject(error);
    else if (status === undefined) answer.reject(new Error("the stream ended without a status"));
    else answer.resolve({ status, body });
    if (closing && streams.size === 0) close();
  }

  function close(): void {
    closing = true;
    socket.close();
  }

  function take(type: number, flags: number, id: number, payload: Uint8Array): void {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const stream = streams.get(id);
    switch (type) {
      case FRAME.DATA:
        if (stream) stream.body += new TextDecoder().decode(payload);
        break;
      case FRAME.HEADERS:
        // A second block is a trailer.
        if (stream) stream.status ??= statusOf(payload);
        break;
      case FRAME.RST_STREAM: {
        const code = view.getUint32(0);
        const text = `RST_STREAM with code ${code}`;
        return end(id, code === REFUSED_STREAM ? new Unprocessed(text) : new Error(text));
      }
      case FRAME.SETTINGS:
        if (!(flags & FRAME.ACK)) send(frame(FRAME.SETTINGS, FRAME.ACK, 0));
        return;
      case FRAME.PING:
        if (!(flags & FRAME.ACK)) send(frame(FRAME.PING, FRAME.ACK, 0, payload));
        return;
      case FRAME.GOAWAY: {
        const last = view.getUint32(0) & 0x7fffffff;
        closing = true;
        const error = `GOAWAY with last stream ${last} and code ${view.getUint32(4)}`;
        for (const open of [...streams.keys()]) {
          if (open > last) end(open, new Unprocessed(error));
        }
        if (streams.size === 0) close();
        return;
      }
      default:
        return;
    }
    if (flags & FRAME.END_STREAM) end(id);
  }

  async function read(): Promise<void> {
    while (!socket.ended) {
      await socket.more();
      for (const { type, flags, id, payload } of parseFrames(socket)) {
        take(type, flags, id, payload);
      }
    }
    closing = true;
    for (const id of [...streams.keys()]) end(id, new Error(`connection ${socket.reason}`));
  }

  read();
  return {
    get closing() {
      return closing;
    },
    ask(host, path) {
      // The connection may have ended since it was chosen: nothing was sent, nothing has failed.
      if (closing) return Promise.reject(new Unprocessed("the connection ends"));
      const answer: Stream["answer"] = Promise.withResolvers();
      const id = nextId;
      nextId += 2;
      streams.set(id, { body: "", answer });
      send(encodeRequest(id, host, path));
      return answer.promise;
    },
    close,
  };
}
