/**
 * A tiny HTTP server to stand behind HAProxy. It answers `NAME\n`, but for
 * `/slow?ms=2000` (the same, later), `/stream?chunks=10&ms=100` (the name, chunk by chunk),
 * `/headers` (the request's headers as a JSON object) and `/status?code=500`.
 */
import { setTimeout as delay } from "node:timers/promises";

export interface BackendOptions {
  /** @default {"127.0.0.1"} */
  readonly hostname?: string;
  /** @default {0} a free one */
  readonly port?: number;
}

export interface Backend extends AsyncDisposable {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Requests taken so far. */
  readonly requests: number;
  /** Ends it with all that is in flight. */
  stop(): Promise<void>;
}

export function startBackend(
  name: string,
  { hostname = "127.0.0.1", port = 0 }: BackendOptions = {},
): Backend {
  const closing = new AbortController();
  let requests = 0;

  async function answer(request: Request): Promise<Response> {
    requests++;
    const { pathname, searchParams } = new URL(request.url);
    const number = (key: string, fallback: number) => Number(searchParams.get(key) ?? fallback);
    const wait = (ms: number) => delay(ms, undefined, { signal: closing.signal });
    switch (pathname) {
      case "/slow":
        await wait(number("ms", 2000));
        return new Response(`${name}\n`);
      case "/stream":
        return new Response(ReadableStream.from(stream(number("chunks", 10), number("ms", 100))));
      case "/headers":
        return Response.json(Object.fromEntries(request.headers));
      case "/status":
        return new Response(`${name}\n`, { status: number("code", 200) });
      default:
        return new Response(`${name}\n`);
    }
  }

  async function* stream(chunks: number, ms: number) {
    for (let chunk = 0; chunk < chunks; chunk++) {
      yield new TextEncoder().encode(`${name}\n`);
      await delay(ms, undefined, { signal: closing.signal });
    }
  }

  const server = Deno.serve({
    hostname,
    port,
    signal: closing.signal,
    onListen: () => {},
    onError: () => new Response(null, { status: 500 }),
  }, answer);

  async function stop(): Promise<void> {
    closing.abort();
    await server.finished;
  }

  return {
    name,
    address: hostname,
    port: server.addr.port,
    get requests() {
      return requests;
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
