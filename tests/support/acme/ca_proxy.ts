/**
 * Stands between an agent and Pebble, and makes the faults that Pebble can't be asked for. Passes bytes on as they
 * are: Pebble takes the URLs that it names, and those that a JWS is signed for, from the Host header.
 */

export interface CaFault {
  readonly status: number;
  /** A problem document (RFC 7807), or whatever text. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Part of `METHOD /path`; undefined: whatever comes next. */
  readonly match?: string;
  /** How often. @default {1} */
  readonly times?: number;
}

export interface CaProxy {
  /** The CA's directory, seen through the proxy. */
  readonly directory: string;
  failNext(fault: CaFault): void;
  /** Called with `METHOD /path` before a request goes on; it waits for the promise. */
  onRequest: (at: string) => Promise<void> | void;
  /** `METHOD /path` of what came. */
  log(): string[];
}

export interface CaProxyOptions {
  /** Pebble's directory. */
  readonly target: string;
  readonly caPem: string;
  readonly cert: string;
  readonly key: string;
}

export function startCaProxy(
  { target, caPem, cert, key }: CaProxyOptions,
): CaProxy & AsyncDisposable {
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert, key });
  const pebble = new URL(target);
  const open = new Set<Deno.TlsConn>();
  const faults: { fault: CaFault; left: number }[] = [];
  const requests: string[] = [];
  const proxy = { onRequest: (_at: string): Promise<void> | void => {} };

  /** One request a connection: both sides are told to close. */
  async function serve(client: Deno.TlsConn): Promise<void> {
    open.add(client);
    try {
      const request = await readRequest(client);
      if (!request) return;
      const { at } = request;
      requests.push(at);
      await proxy.onRequest(at);
      const failing = faults.find(({ fault, left }) => left > 0 && at.includes(fault.match ?? ""));
      if (failing) {
        failing.left--;
        return await writeAll(client, render(failing.fault));
      }
      const server = await Deno.connectTls({
        hostname: pebble.hostname,
        port: Number(pebble.port),
        caCerts: [caPem],
      });
      open.add(server);
      await writeAll(server, request.bytes);
      for await (const chunk of server.readable) await writeAll(client, chunk);
      close(server);
    } catch {
      // A connection that one side gave up.
    } finally {
      close(client);
    }
  }
  function close(connection: Deno.TlsConn): void {
    open.delete(connection);
    try {
      connection.close();
    } catch {
      // Closed meanwhile.
    }
  }

  const serving = new Set<Promise<void>>();
  const accepting = (async () => {
    while (true) {
      let client: Deno.TlsConn;
      try {
        client = await listener.accept();
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
        continue; // a handshake that failed
      }
      const served = serve(client).finally(() => serving.delete(served));
      serving.add(served);
    }
  })();

  return {
    directory: `https://localhost:${(listener.addr as Deno.NetAddr).port}${pebble.pathname}`,
    failNext: (fault) => void faults.push({ fault, left: fault.times ?? 1 }),
    get onRequest() {
      return proxy.onRequest;
    },
    set onRequest(next) {
      proxy.onRequest = next;
    },
    log: () => [...requests],
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
      for (const connection of open) close(connection);
      await Promise.all(serving);
    },
  };
}

/** Head and body as they came, but with `Connection: close`. */
async function readRequest(client: Deno.TlsConn) {
  let bytes = new Uint8Array(), end = -1, length = 0;
  const buffer = new Uint8Array(16_384);
  while (end < 0 || bytes.length < end + length) {
    const read = await client.read(buffer);
    if (read === null) return undefined;
    bytes = joined(bytes, buffer.subarray(0, read));
    if (end >= 0) continue;
    const text = new TextDecoder("latin1").decode(bytes);
    end = text.indexOf("\r\n\r\n");
    if (end < 0) continue;
    end += 4;
    length = Number(/^content-length: *(\d+)/im.exec(text.slice(0, end))?.[1] ?? 0);
  }
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, end))
    .replace(/^connection:.*\r\n/im, "").replace(/\r\n$/, "Connection: close\r\n\r\n");
  const [method, path] = head.split(" ", 2);
  return {
    at: `${method} ${path}`,
    bytes: joined(new TextEncoder().encode(head), bytes.subarray(end)),
  };
}

function render({ status, body, headers }: CaFault): Uint8Array {
  const text = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  const lines = Object.entries({
    "Content-Type": "application/problem+json",
    "Content-Length": String(text.length),
    "Connection": "close",
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return joined(
    new TextEncoder().encode(`HTTP/1.1 ${status} Fault\r\n${lines.join("")}\r\n`),
    text,
  );
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

async function writeAll(connection: Deno.TlsConn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}
