/**
 * MCP by hand, without an SDK: what the specification says on the wire, over HTTP in both eras and over stdio.
 *
 *     const client = await openRawHttp({ url, token, era: "2025" });
 *     const { result } = await client.ask("tools/list");
 *
 * Request ids are counted from 1 in each client, so two of them use the same ones.
 */
import type { Era } from "./mcp_client.ts";

export interface Message {
  readonly jsonrpc: "2.0";
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  // deno-lint-ignore no-explicit-any -- whatever the server sent
  readonly result?: any;
  // deno-lint-ignore no-explicit-any -- whatever the server sent
  readonly error?: any;
}

export interface RawClient extends AsyncDisposable {
  /** The answer; what came before it on its stream, or by stdio on the way, is in `others`. */
  ask(
    method: string,
    params?: Record<string, unknown>,
  ): Promise<Message & { readonly others: readonly Message[] }>;
}

export interface RawHttpOptions {
  readonly url: string;
  readonly token?: string;
  readonly era: Era;
  /** @default {the era's newest} */
  readonly version?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** @default {globalThis.fetch} */
  readonly fetch?: typeof globalThis.fetch;
}

export interface RawHttp extends RawClient {
  readonly session?: string;
  /** Messages of the stream that is not an answer: the session's GET, or subscriptions/listen. */
  listen(params?: Record<string, unknown>): Promise<AsyncIterableIterator<Message>>;
}

const CLIENT = { name: "raw", version: "1" };

export async function openRawHttp(options: RawHttpOptions): Promise<RawHttp> {
  const { url, token, era, headers: more, fetch = globalThis.fetch } = options;
  const version = options.version ?? (era === "2025" ? "2025-11-25" : "2026-07-28");
  const over = new AbortController();
  let last = 0;
  let session: string | undefined;
  let initialized = false;

  function headersFor(method: string, params: Record<string, unknown>) {
    const named = typeof params.name === "string" ? params.name : params.uri;
    return {
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(session && { "Mcp-Session-Id": session }),
      ...((initialized || era === "2026") && { "MCP-Protocol-Version": version }),
      ...(era === "2026" && { "Mcp-Method": method }),
      ...(era === "2026" && typeof named === "string" && { "Mcp-Name": named }),
      ...more,
    };
  }

  async function send(message: Record<string, unknown>) {
    const { method, params } = message as { method: string; params: Record<string, unknown> };
    const response = await fetch(url, {
      method: "POST",
      headers: headersFor(method, params),
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      signal: over.signal,
    });
    if (response.status >= 400) {
      throw new Error(`${method}: ${response.status} ${await response.text()}`);
    }
    return response;
  }

  /** In the 2026-07-28 era each request says who asks, and what that client can. */
  function withMeta(params: Record<string, unknown>): Record<string, unknown> {
    if (era === "2025") return params;
    const meta = {
      "io.modelcontextprotocol/protocolVersion": version,
      "io.modelcontextprotocol/clientInfo": CLIENT,
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    return { ...params, _meta: { ...params._meta as object, ...meta } };
  }

  async function ask(method: string, params: Record<string, unknown> = {}) {
    const id = ++last;
    const response = await send({ id, method, params: withMeta(params) });
    session ??= response.headers.get("mcp-session-id") ?? undefined;
    const messages = await Array.fromAsync(messagesOf(response));
    const answer = messages.find((message) => message.id === id && !message.method);
    if (!answer) throw new Error(`${method}: no answer in ${JSON.stringify(messages)}`);
    return { ...answer, others: messages.filter((message) => message !== answer) };
  }

  if (era === "2025") {
    const params = { protocolVersion: version, capabilities: {}, clientInfo: CLIENT };
    await ask("initialize", params);
    initialized = true;
    await (await send({ method: "notifications/initialized", params: {} })).body?.cancel();
  }
  return {
    get session() {
      return session;
    },
    ask,
    async listen(params = {}) {
      const response = era === "2026"
        ? await send({ id: ++last, method: "subscriptions/listen", params: withMeta(params) })
        : await fetch(url, {
          headers: { ...headersFor("", {}), Accept: "text/event-stream" },
          signal: over.signal,
        });
      if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
      return messagesOf(response);
    },
    async [Symbol.asyncDispose]() {
      if (session) {
        const answer = await fetch(url, { method: "DELETE", headers: headersFor("", {}) });
        await answer.body?.cancel();
      }
      over.abort();
    },
  };
}

/** Of a JSON answer, or of a stream as they come. */
async function* messagesOf(response: Response): AsyncGenerator<Message> {
  if (response.headers.get("content-type")?.startsWith("application/json")) {
    yield await response.json();
    return;
  }
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const events = (text + chunk).split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data: "))
        .map((line) => line.slice("data: ".length)).join("\n");
      if (data.trim()) yield JSON.parse(data);
    }
  }
}

/** A server that speaks on stdin and stdout, one message a line; it ends with its stdin. */
export function openRawStdio(
  command: Deno.Command,
): RawClient & { readonly ended: Promise<number> } {
  const child = command.spawn();
  const writer = child.stdin.getWriter();
  const waiting = new Map<number, (message: Message) => void>();
  let others: Message[] = [];
  let last = 0;
  const reading = (async () => {
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + chunk).split("\n");
      text = lines.pop()!;
      for (const line of lines) {
        const message: Message = JSON.parse(line);
        const settle = message.method === undefined ? waiting.get(message.id!) : undefined;
        if (settle) settle(message);
        else others.push(message);
      }
    }
  })();
  const send = (message: Record<string, unknown>) =>
    writer.write(new TextEncoder().encode(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`));
  return {
    ended: child.status.then(({ code }) => code),
    async ask(method, params = {}) {
      const id = ++last;
      const { promise, resolve } = Promise.withResolvers<Message>();
      waiting.set(id, resolve);
      await send({ id, method, params });
      const answer = await promise;
      if (method === "initialize") await send({ method: "notifications/initialized" });
      const before = others;
      others = [];
      return { ...answer, others: before };
    },
    async [Symbol.asyncDispose]() {
      await writer.close();
      await reading;
      await child.status;
    },
  };
}
