/**
 * A Runtime API with faults that the real one can't be made to show: a TCP server on a free loopback port that treats
 * every connection as it is told.
 */

/** What becomes of one connection. It is closed afterwards. */
export type Behaviour = (connection: Deno.TcpConn) => Promise<void>;

export interface FakeRuntime extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Connections taken so far. */
  readonly accepted: number;
}

export function startFakeRuntime(behave: Behaviour): FakeRuntime {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  let accepted = 0;

  async function serve(connection: Deno.TcpConn): Promise<void> {
    open.add(connection);
    accepted++;
    // The client hangs up whenever it likes.
    await behave(connection).catch(() => {});
    if (open.delete(connection)) connection.close();
  }

  const serving = (async () => {
    const connections: Promise<void>[] = [];
    for await (const connection of listener) connections.push(serve(connection));
    await Promise.all(connections);
  })();

  return {
    host: "127.0.0.1",
    port: listener.addr.port,
    get accepted() {
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) if (open.delete(connection)) connection.close();
      await serving;
    },
  };
}

/** Takes everything and never answers. */
export const silent: Behaviour = async (connection) => {
  for await (const _ of connection.readable);
};

export const closesAtOnce: Behaviour = () => Promise.resolve();

/** Says this to the first bytes, whatever they are, and hangs up. */
export function says(text: string, { byByte = false } = {}): Behaviour {
  return async (connection) => {
    await connection.read(new Uint8Array(65_536));
    const bytes = new TextEncoder().encode(text);
    connection.setNoDelay(true);
    const step = byByte ? 1 : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      await connection.write(bytes.subarray(at, at + step));
    }
  };
}

/** Answers each line with an empty reply, as HAProxy 3.2 does after `prompt i` once `ready`. */
export function obeys(ready: () => Promise<void> = () => Promise.resolve()): Behaviour {
  return async (connection) => {
    const buffer = new Uint8Array(65_536);
    for (let length; (length = await connection.read(buffer)) !== null;) {
      await ready();
      const lines = buffer.subarray(0, length).filter((byte) => byte === 10).length;
      await connection.write(new TextEncoder().encode("\n".repeat(lines)));
    }
  };
}
