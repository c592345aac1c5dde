/**
 * HTTP/1.1 under load, connections kept alive. A client that sends a request and gets no byte back can't know
 * whether it was carried out, so nothing is ever sent again: that is a failure. Only a close that is seen
 * before a request was sent costs nothing but a new connection.
 */
import { inTime, openSocket, pause, type Socket, type Trust } from "./socket.ts";
import { type Load, type LoadOptions, startClients, type Tally } from "./tally.ts";

export interface H1LoadOptions extends LoadOptions {
  /** @default {undefined} plain HTTP */
  readonly tls?: Trust;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** The connection ends with it. */
  readonly last: boolean;
}

export function startH1Load(options: H1LoadOptions): Load {
  const { address = "127.0.0.1", port, host, tls, pause: most = 5, fresh = false } = options;
  const trust = tls && { ...tls, protocol: "http/1.1" as const };

  async function client(tally: Tally): Promise<void> {
    let socket: Socket | undefined;
    while (!tally.stopped.aborted) {
      const asked = tally.next();
      try {
        if (socket === undefined) {
          socket = await inTime(openSocket(address, port, trust));
          tally.connected();
        }
        const { status, body, last } = await inTime(ask(socket, host, asked.path, fresh));
        tally.answered(asked, status, body);
        if (last) socket = close(socket);
      } catch (error) {
        tally.failed(asked, String(error), socket === undefined);
        socket = socket && close(socket);
      }
      // Read while it rests, as every client does that waits for events: a close is seen at once.
      const rest = pause(most, tally.stopped);
      if (socket !== undefined) await Promise.race([rest, socket.more()]);
      await rest;
      if (socket?.ended) socket = close(socket);
    }
    socket?.close();
  }

  return startClients(options, client);
}

function close(socket: Socket): undefined {
  socket.close();
}

async function ask(socket: Socket, host: string, path: string, last: boolean): Promise<Answer> {
  const lines = [`GET ${path} HTTP/1.1`, `Host: ${host}`, ...(last ? ["Connection: close"] : [])];
  await socket.write(new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n"));
  const head = await line(socket, "\r\n\r\n");
  const field = (name: string) => new RegExp(`^${name}: *(.*)$`, "im").exec(head)?.[1].trim();
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
  const length = field("content-length");
  const body = field("transfer-encoding") === "chunked"
    ? await chunked(socket)
    : await exactly(socket, Number(length));
  return { status, body, last: field("connection") === "close" };
}

async function chunked(socket: Socket): Promise<string> {
  let body = "";
  while (true) {
    const size = parseInt(await line(socket, "\r\n"), 16);
    const chunk = await exactly(socket, size + 2);
    if (size === 0) return body;
    body += chunk.slice(0, -2);
  }
}

/** Text up to an end, which is taken too. All that is spoken here is ASCII. */
async function line(socket: Socket, end: string): Promise<string> {
  while (true) {
    const at = new TextDecoder().decode(socket.received).indexOf(end);
    if (at >= 0) return new TextDecoder().decode(socket.take(at + end.length)).trimEnd();
    await grow(socket);
  }
}

async function exactly(socket: Socket, length: number): Promise<string> {
  if (!Number.isInteger(length)) throw new Error("the answer has no length");
  while (socket.received.length < length) await grow(socket);
  return new TextDecoder().decode(socket.take(length));
}

async function grow(socket: Socket): Promise<void> {
  if (socket.ended) {
    const got = socket.received.length === 0 ? "no byte" : "a part";
    throw new Error(`${socket.reason} after ${got} of the answer's next piece`);
  }
  await socket.more();
}
