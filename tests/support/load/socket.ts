/** A connection that is read and written by hand, so that nothing of what happens to it is hidden or mended. */
import { setTimeout as delay } from "node:timers/promises";
import { concat } from "../../../lib/bytes.ts";
import { PATIENCE } from "./tally.ts";

/** The certificate that is trusted, and the name in it: HAProxy's default one answers for every name. */
export interface Trust {
  /** PEM. */
  readonly certificate: string;
  readonly serverName: string;
}

export interface Socket {
  /** The other side has closed or reset the connection, and all that it sent has been read. */
  readonly ended: boolean;
  /** Why, when it was not an orderly close. */
  readonly reason: string;
  write(bytes: Uint8Array): Promise<void>;
  /** At least one byte more than there were, or the end. */
  more(): Promise<void>;
  /** What came and has not been taken. */
  readonly received: Uint8Array;
  take(length: number): Uint8Array;
  close(): void;
}

export async function openSocket(
  hostname: string,
  port: number,
  tls?: Trust & { readonly protocol: "h2" | "http/1.1" },
): Promise<Socket> {
  const plain = await Deno.connect({ hostname, port });
  plain.setNoDelay(true);
  return wrap(tls === undefined ? plain : await handshake(plain, tls));
}

async function handshake(
  plain: Deno.TcpConn,
  { certificate, serverName, protocol }: Trust & { readonly protocol: string },
): Promise<Deno.TlsConn> {
  const connection = await Deno.startTls(plain, {
    hostname: serverName,
    caCerts: [certificate],
    alpnProtocols: [protocol],
  });
  const { alpnProtocol } = await connection.handshake();
  if (alpnProtocol === protocol) return connection;
  connection.close();
  throw new Error(`HAProxy chose ${alpnProtocol} and not ${protocol}`);
}

function wrap(connection: Deno.Conn): Socket {
  let received = new Uint8Array();
  let ended = false;
  let reason = "closed";
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const chunk = new Uint8Array(16_384);
    try {
      const length = await connection.read(chunk);
      if (length === null) ended = true;
      else received = concat([received, chunk.subarray(0, length)]);
    } catch (error) {
      ended = true;
      reason = error instanceof Error ? error.name : String(error);
    }
  }

  return {
    get ended() {
      return ended;
    },
    get reason() {
      return reason;
    },
    get received() {
      return received;
    },
    async write(bytes) {
      for (let rest = bytes; rest.length > 0;) {
        rest = rest.subarray(await connection.write(rest));
      }
    },
    more() {
      if (ended) return Promise.resolve();
      return reading ??= read().finally(() => reading = undefined);
    },
    take(length) {
      const taken = received.slice(0, length);
      received = received.slice(length);
      return taken;
    },
    close() {
      ended = true;
      try {
        connection.close();
      } catch {
        // Closed already.
      }
    },
  };
}

/** Resolves by itself, after some milliseconds up to the given ones. */
export function pause(most: number, signal: AbortSignal): Promise<void> {
  return delay(Math.random() * most, undefined, { signal }).catch(() => {});
}

/** @throws when the promise takes longer than a request may */
export async function inTime<T>(promise: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = delay(PATIENCE, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`no answer within ${PATIENCE} ms`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
