/**
 * A fetch for which every host name leads to this machine: it goes through an HTTP proxy (CONNECT) that ignores the name.
 * TLS is with the name that the URL has, so certificates are checked for it.
 */
import { connect as connectTcp, createServer, type Socket } from "node:net";

export interface NamedFetch extends AsyncDisposable {
  readonly fetch: typeof globalThis.fetch;
}

/** @param root PEM of the one root that is trusted */
export async function openNamedFetch(root: string): Promise<NamedFetch> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  };
  const server = createServer((client) => {
    keep(client);
    let head = "";
    client.on("data", function read(data) {
      head += data;
      if (!head.includes("\r\n\r\n")) return;
      client.off("data", read);
      client.pause();
      const port = Number(/^CONNECT [^ ]+:(\d+) /.exec(head)?.[1]);
      const target = connectTcp(port, "127.0.0.1", () => {
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        client.pipe(target).pipe(client);
      });
      keep(target);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const client = Deno.createHttpClient({
    caCerts: [root],
    proxy: { url: `http://127.0.0.1:${port}` },
  });
  return {
    fetch: (input, init) =>
      fetch(input, { ...init, client } as RequestInit & { client: Deno.HttpClient }),
    async [Symbol.asyncDispose]() {
      client.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
