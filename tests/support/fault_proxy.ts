/** Stands between the agent and a real Runtime API, and makes the faults that HAProxy itself can't be asked for. */

/** What becomes of a line that the agent sends. */
export type Fate =
  /** On to HAProxy. */
  | "pass"
  /** Not sent on, and the connection is cut. */
  | "cut"
  /** Sent on, and then the connection is cut: HAProxy has it, the agent gets no reply. */
  | "cut after"
  /** HAProxy gets a command that it refuses instead. */
  | "refuse";

export interface FaultProxy extends AsyncDisposable {
  readonly port: number;
  /** Lines that reached HAProxy, greetings included. */
  readonly lines: readonly string[];
  /** Decides for each line; "pass" at first. */
  decide: (line: string) => Fate;
}

export function faultProxy(
  target: { readonly address: string; readonly port: number },
): FaultProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const lines: string[] = [];
  const open = new Set<Deno.TcpConn>();
  const proxy = { decide: (_line: string): Fate => "pass" };

  async function serve(client: Deno.TcpConn): Promise<void> {
    const server = await Deno.connect({ hostname: target.address, port: target.port });
    open.add(client).add(server);
    const replies = server.readable.pipeTo(client.writable).catch(() => {});
    try {
      let rest = "";
      for await (const chunk of client.readable.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + chunk).split("\n");
        rest = parts.pop()!;
        for (const line of parts) {
          const fate = proxy.decide(line);
          if (fate === "cut") return;
          const sent = fate === "refuse" ? "set server no/such weight 1" : line;
          lines.push(sent);
          await writeLine(server, sent);
          if (fate === "cut after") {
            await new Promise((resolve) => setTimeout(resolve, 30));
            return;
          }
        }
      }
    } catch {
      // A cut connection: what the test asked for.
    } finally {
      for (const connection of [client, server]) {
        open.delete(connection);
        try {
          connection.close();
        } catch {
          // Closed by the other end.
        }
      }
      await replies;
    }
  }

  const accepting = (async () => {
    for await (const client of listener) void serve(client);
  })();

  return {
    port: (listener.addr as Deno.NetAddr).port,
    lines,
    get decide() {
      return proxy.decide;
    },
    set decide(next) {
      proxy.decide = next;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting.catch(() => {});
      for (const connection of open) {
        try {
          connection.close();
        } catch {
          // Closed meanwhile.
        }
      }
    },
  };
}

async function writeLine(connection: Deno.TcpConn, line: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}
