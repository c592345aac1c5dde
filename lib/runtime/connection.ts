/**
 * Conversations with the Runtime API. Each has a fresh connection, since a lasting one would stay with the old worker
 * after a reload; commands are pipelined, one a line.
 */
import { AgentError } from "../errors.ts";
import { type Command, wire } from "./encode.ts";
import { type FrameReader, frameReader } from "./frames.ts";
import { readReply, type Reply } from "./replies.ts";

export interface RuntimeAddress {
  readonly host: string;
  readonly port: number;
}

/** One connection: `exchange` may be called several times, one after the other. */
export interface Conversation {
  /** Sends all commands at once and answers their replies, in order. */
  exchange(commands: readonly Command[]): Promise<Reply[]>;
}

export interface ConverseOptions {
  readonly signal?: AbortSignal;
  /** For the whole conversation, waiting for a place and connecting included. */
  readonly deadlineMs?: number;
}

/** Conversations since the client was made. */
export interface RuntimeStatistics {
  readonly ok: number;
  readonly failed: number;
  readonly seconds: number;
}

export interface RuntimeClient {
  readonly address: RuntimeAddress;
  readonly statistics: RuntimeStatistics;
  /** Throws HAPROXY_UNREACHABLE where HAProxy can't be reached, falls silent, or is no HAProxy. */
  converse<T>(
    talk: (conversation: Conversation) => Promise<T>,
    options?: ConverseOptions,
  ): Promise<T>;
}

/** `stats maxconn` is 10 by default, and the eleventh connection just hangs. */
const MAX_CONVERSATIONS = 4;
export const DEFAULT_DEADLINE_MS = 5_000;

export function runtimeClient(address: RuntimeAddress): RuntimeClient {
  let open = 0;
  const waiting: (() => void)[] = [];
  const place = `${address.host}:${address.port}`;
  const statistics = { ok: 0, failed: 0, seconds: 0 };

  async function enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (open < MAX_CONVERSATIONS) return void open++;
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = () => {
        waiting.splice(waiting.indexOf(go), 1);
        reject(signal.reason);
      };
      waiting.push(go);
      signal.addEventListener("abort", giveUp);
    });
  }
  /** The place of a conversation that ends goes straight to the next in the queue. */
  function leave(): void {
    const next = waiting.shift();
    if (next) next();
    else open--;
  }

  function unreachable(why: string, hint: string, cause?: unknown): AgentError {
    return new AgentError("HAPROXY_UNREACHABLE", `HAProxy's Runtime API at ${place} ${why}.`, {
      hint,
      details: { address: place },
      cause,
    });
  }

  /** What the connection throws while commands and replies are under way; replies that can't be read stay as they are. */
  function broken(cause: unknown): unknown {
    if (cause instanceof SyntaxError) return cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    return unreachable(`broke off (${message})`, "HAProxy may be restarting: try again.", cause);
  }

  async function connect(signal: AbortSignal): Promise<Deno.TcpConn> {
    try {
      const connection = await Deno.connect({ hostname: address.host, port: address.port, signal });
      connection.setNoDelay(true);
      return connection;
    } catch (cause) {
      throw signal.aborted ? signal.reason : unreachable(
        `can't be reached (${cause instanceof Error ? cause.message : cause})`,
        "Start HAProxy, or correct HAPROXY_HOST and HAPROXY_PORT.",
        cause,
      );
    }
  }

  return {
    address,
    statistics,
    async converse(talk, { signal, deadlineMs = DEFAULT_DEADLINE_MS } = {}) {
      const ended = new AbortController();
      const silent = unreachable(
        `did not answer within ${deadlineMs / 1000} s`,
        "HAProxy may be stopped or hung, or all connections of stats maxconn are taken.",
      );
      const timer = setTimeout(() => ended.abort(silent), deadlineMs);
      const onAbort = () => ended.abort(signal?.reason);
      signal?.addEventListener("abort", onAbort);
      if (signal?.aborted) onAbort();
      let connection: Deno.TcpConn | undefined;
      let entered = false;
      let heard = false;
      const start = performance.now();
      const hangUp = () => {
        try {
          connection?.close();
        } catch {
          // Closed by an earlier hang-up.
        }
      };
      try {
        await enter(ended.signal);
        entered = true;
        connection = await connect(ended.signal);
        ended.signal.addEventListener("abort", hangUp);
        const result = await talk(conversation(connection, broken));
        heard = true;
        return result;
      } catch (cause) {
        if (ended.signal.aborted) throw ended.signal.reason;
        if (!(cause instanceof SyntaxError)) throw cause;
        throw unreachable(
          `is not HAProxy: ${cause.message}`,
          "Let HAPROXY_HOST and HAPROXY_PORT name HAProxy's stats socket.",
          cause,
        );
      } finally {
        clearTimeout(timer);
        statistics[heard ? "ok" : "failed"]++;
        statistics.seconds += (performance.now() - start) / 1000;
        signal?.removeEventListener("abort", onAbort);
        ended.signal.removeEventListener("abort", hangUp);
        hangUp();
        if (entered) leave();
      }
    },
  };
}

function conversation(
  connection: Deno.TcpConn,
  broken: (cause: unknown) => unknown,
): Conversation {
  const reader = frameReader();
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(64 * 1024);
  let greeted = false;
  /** Exchanges may overlap: commands go out in the order of the calls, and the replies come in it. */
  let written: Promise<unknown> = Promise.resolve();
  let read: Promise<unknown> = Promise.resolve();

  return {
    async exchange(commands) {
      if (commands.length === 0) return [];
      // A failing severity-output would show: its reply is counted with the others.
      const greeting = greeted ? "" : "prompt i\nset severity-output number\n";
      const skip = greeted ? 0 : 2;
      greeted = true;
      const text = greeting + commands.map(wire).join("");
      // Written and read at once: HAProxy stops reading while nobody takes its replies.
      const writing = written.then(() => write(connection, new TextEncoder().encode(text)));
      const reading = read.then(() =>
        readFrames(connection, reader, decoder, buffer, skip + commands.length)
      );
      [written, read] = [writing, reading];
      const [frames] = await Promise.all([reading, writing]).catch((cause) => {
        throw broken(cause);
      });
      return withoutPayloads(
        commands,
        commands.map((command, i) => readReply(command, frames[skip + i])),
      );
    },
  };
}

/** A failure's message reaches people and logs: should a reply ever quote a line of a payload, it is cut out. */
function withoutPayloads(commands: readonly Command[], replies: Reply[]): Reply[] {
  if (replies.every(({ ok }) => ok)) return replies;
  const secret = new Set(commands.flatMap(({ payload = "" }) => payload.split("\n")));
  return replies.map((reply) =>
    reply.ok ? reply : {
      ok: false,
      message: reply.message.replace(/[\w+/=]{8,}/g, (word) => secret.has(word) ? "…" : word),
    }
  );
}

async function write(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}

async function readFrames(
  connection: Deno.TcpConn,
  reader: FrameReader,
  decoder: TextDecoder,
  buffer: Uint8Array,
  count: number,
): Promise<string[]> {
  const frames: string[] = [];
  for (;;) {
    while (frames.length < count) {
      const frame = reader.next();
      if (frame === undefined) break;
      frames.push(frame);
    }
    if (frames.length === count) return frames;
    const length = await connection.read(buffer);
    if (length === null) {
      const rest = reader.rest().trim().slice(0, 200);
      throw new Error(`it closed the connection${rest ? ` after "${rest}"` : ""}`);
    }
    reader.push(decoder.decode(buffer.subarray(0, length), { stream: true }));
  }
}
