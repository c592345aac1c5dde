/**
 * A client of HAProxy's master CLI: one command a connection (Management Guide 9.4). Small and strict, since
 * what it reads comes into the room that may run programs.
 */
import type { HostSettings } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { pause, unlessAborted } from "../../pause.ts";

const MAX_ANSWER_BYTES = 256 * 1024;
const RETRY_MS = 50;

export interface AskOptions {
  readonly signal: AbortSignal;
  /** From connecting to the end of the answer. */
  readonly deadlineMs: number;
  /**
   * So long a master that nobody can connect to is asked again: it takes no connection during a reload,
   * and after a start 3.0's comes later than its workers. @default {0}
   */
  readonly patienceMs?: number;
  /** The command changes nothing: one that was sent and not answered may be sent again too. @default {false} */
  readonly repeatable?: boolean;
}

/** Where the master CLI is by the settings, or by the socket that `init` suggests; undefined: there is none. */
export function masterAddress(
  { master, masterSocket }: Pick<HostSettings, "master" | "masterSocket">,
): string | undefined {
  return master ?? (exists(masterSocket) ? masterSocket : undefined);
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * The answer to `command`, as it came.
 *
 * Throws HAPROXY_UNREACHABLE where nobody listens, the connection breaks off before a single byte, or more
 * comes than any HAProxy answers; TIMEOUT; the signal's reason.
 *
 * @param address `host:port`, `[v6]:port`, or the absolute path of a unix socket
 */
export async function askMaster(
  address: string,
  command: string,
  { signal, deadlineMs, patienceMs = 0, repeatable = false }: AskOptions,
): Promise<string> {
  const late = new AgentError(
    "TIMEOUT",
    `HAProxy's master CLI at ${address} did not answer within ${deadlineMs / 1000} s.`,
  );
  const ended = new AbortController();
  const timer = setTimeout(() => ended.abort(late), deadlineMs);
  const onAbort = () => ended.abort(signal.reason);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  const patientUntil = performance.now() + patienceMs;
  try {
    for (;;) {
      let connected = false;
      try {
        return await exchange(address, command, ended.signal, () => connected = true);
      } catch (cause) {
        const again = repeatable || !connected;
        if (!again || ended.signal.aborted || performance.now() >= patientUntil) throw cause;
        await pause(RETRY_MS, ended.signal);
      }
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

async function exchange(
  address: string,
  command: string,
  signal: AbortSignal,
  onConnected: () => void,
): Promise<string> {
  let connection: Deno.Conn | undefined;
  let over = false;
  const talk = async () => {
    connection = await connect(address);
    if (over) return hangUp(), "";
    onConnected();
    await connection.write(new TextEncoder().encode(`${command}\n`));
    // The master CLI stays open after an answer until it hears that nothing more comes.
    await connection.closeWrite();
    return await readAll(connection);
  };
  const hangUp = () => {
    over = true;
    try {
      connection?.close();
    } catch {
      // Closed by an earlier hang-up.
    }
  };
  signal.throwIfAborted();
  try {
    // Not every connect() of Deno takes a signal.
    const answer = await unlessAborted(talk(), signal);
    if (answer === "") throw new Error("it hung up without a word");
    return answer;
  } catch (cause) {
    signal.throwIfAborted();
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new AgentError(
      "HAPROXY_UNREACHABLE",
      `HAProxy's master CLI at ${address} can't be asked: ${words}.`,
      { cause },
    );
  } finally {
    hangUp();
  }
}

function connect(address: string): Promise<Deno.Conn> {
  if (address.startsWith("/")) return Deno.connect({ transport: "unix", path: address });
  const colon = address.lastIndexOf(":");
  const hostname = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  return Deno.connect({ hostname, port: Number(address.slice(colon + 1)) });
}

async function readAll(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(16 * 1024);
  const decoder = new TextDecoder();
  let text = "";
  for (let total = 0;;) {
    const length = await connection.read(buffer);
    if (length === null) return text;
    total += length;
    if (total > MAX_ANSWER_BYTES) {
      throw new Error(`it answered more than ${MAX_ANSWER_BYTES} bytes`);
    }
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
}
