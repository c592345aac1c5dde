/**
 * Tools called over HTTP by some connections without a pause, from bytes made beforehand: the caller costs as little as can
 * be, since it shares the machine's cores with whom it measures.
 */

/** How the server is spoken to: a session of 2025-11-25, single requests of it, or single requests of 2026-07-28. */
export type Speech = "2025 session" | "2025 stateless" | "2026";

export interface McpTarget {
  readonly url: string;
  readonly token: string;
  readonly speech: Speech;
}

export interface Call {
  readonly tool: string;
  readonly args?: Readonly<Record<string, unknown>>;
}

export interface LoadResult {
  /** Calls a second. */
  readonly rate: number;
  /** Milliseconds of each call, in no order. */
  readonly times: readonly number[];
}

const CLIENT = { name: "bench", version: "1" };
const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

/** The same call so many times. */
export const times = (count: number, call: Call): readonly Call[] => Array(count).fill(call);

/** Each call once, the connections taking them in turn. Throws when an answer is no success of the tool. */
export async function callAll(
  target: McpTarget,
  calls: readonly Call[],
  connections = 1,
): Promise<LoadResult> {
  const clients = await Promise.all(Array.from({ length: connections }, () => openClient(target)));
  try {
    for (const client of clients) client.prepare(calls);
    const times: number[] = [];
    const todo = calls.values();
    const start = performance.now();
    await Promise.all(clients.map(async (client) => {
      for (const call of todo) times.push(await client.call(call));
    }));
    return { rate: times.length / (performance.now() - start) * 1000, times };
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
}

export interface BenchClient extends Disposable {
  /** Makes the bytes of these calls beforehand. */
  prepare(calls: readonly Call[]): void;
  /** Milliseconds. Throws when the answer is no success of the tool. */
  call(call: Call): Promise<number>;
  /** Another method than tools/call, without parameters: milliseconds. Throws when it is refused. */
  ask(method: string): Promise<number>;
  /** What is no MCP: milliseconds. Throws when the answer is no 200. */
  get(path: string): Promise<number>;
}

/** One connection, and a session on it where the target speaks in sessions. */
export async function openClient(target: McpTarget): Promise<BenchClient> {
  const { host, hostname, port } = new URL(target.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  connection.setNoDelay(true);
  const exchange = exchangeOn(connection);
  const session = target.speech === "2025 session"
    ? await openSession(exchange, target)
    : undefined;
  const modern = target.speech === "2026";
  const made = new Map<Call, Uint8Array>();
  /** Answers to the same call are as long as each other: the first one is read, others where they differ. */
  const lengths = new Map<Call, number>();

  function bytesOf(call: Call): Uint8Array {
    const known = made.get(call);
    if (known) return known;
    const { tool, args = {} } = call;
    const bytes = requestBytes("tools/call", { name: tool, arguments: args }, tool);
    made.set(call, bytes);
    return bytes;
  }

  function requestBytes(method: string, params: object, name?: string): Uint8Array {
    const meta = modern && {
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    };
    return toBytes(target, {
      "MCP-Protocol-Version": modern ? "2026-07-28" : "2025-11-25",
      ...(session && { "Mcp-Session-Id": session }),
      ...(modern && { "Mcp-Method": method, ...(name && { "Mcp-Name": name }) }),
    }, { jsonrpc: "2.0", id: 1, method, params: { ...params, ...meta } });
  }

  async function timed(bytes: Uint8Array, isGood: (head: string, body: string) => boolean) {
    const start = performance.now();
    const { head, body } = await exchange(bytes);
    const ms = performance.now() - start;
    const text = decoder.decode(body);
    if (!isGood(head, text)) throw new Error(`refused: ${head}${text}`);
    return ms;
  }

  return {
    prepare: (calls) => calls.forEach(bytesOf),
    async call(call) {
      const bytes = bytesOf(call);
      const start = performance.now();
      const { head, body } = await exchange(bytes);
      const ms = performance.now() - start;
      if (body.length !== lengths.get(call)) {
        assertSuccess(head, decoder.decode(body));
        lengths.set(call, body.length);
      }
      return ms;
    },
    ask: (method) =>
      timed(requestBytes(method, {}), (head, body) => isOk(head) && /"result":/.test(body)),
    get: (path) => timed(encoder.encode(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`), isOk),
    [Symbol.dispose]: () => connection.close(),
  };
}

const isOk = (head: string) => head.startsWith("HTTP/1.1 200 ");

function assertSuccess(head: string, body: string): void {
  const json = /^(?:data: )?(\{.*\})\r?$/m.exec(body)?.[1] ?? "{}";
  const { result } = isOk(head) ? JSON.parse(json) : {};
  if (!result?.content || result.isError) throw new Error(`a call failed: ${head}${body}`);
}

type Exchange = (request: Uint8Array) => Promise<{ head: string; body: Uint8Array }>;

async function openSession(exchange: Exchange, target: McpTarget): Promise<string> {
  const { head } = await exchange(toBytes(target, {}, {
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: CLIENT },
  }));
  const session = /^mcp-session-id: (\S+)/im.exec(head)?.[1];
  if (!session) throw new Error(`no session: ${head}`);
  await exchange(toBytes(target, {
    "Mcp-Session-Id": session,
    "MCP-Protocol-Version": "2025-11-25",
  }, { jsonrpc: "2.0", method: "notifications/initialized" }));
  return session;
}

function toBytes(target: McpTarget, headers: Record<string, string>, message: object): Uint8Array {
  const { host, pathname } = new URL(target.url);
  const body = JSON.stringify(message);
  const lines = Object.entries({
    Host: host,
    Authorization: `Bearer ${target.token}`,
    Accept: "application/json, text/event-stream",
    "Content-Type": "application/json",
    "Content-Length": String(encoder.encode(body).length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return encoder.encode(`POST ${pathname} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
}

/** Requests one after the other on a connection that stays open. */
function exchangeOn(connection: Deno.Conn): Exchange {
  let buffer = new Uint8Array(64 * 1024);
  return async (request) => {
    for (let at = 0; at < request.length;) at += await connection.write(request.subarray(at));
    let filled = 0;
    let head: string | undefined;
    let bodyAt = 0;
    for (;;) {
      if (filled === buffer.length) {
        const larger = new Uint8Array(buffer.length * 4);
        larger.set(buffer);
        buffer = larger;
      }
      const count = await connection.read(buffer.subarray(filled));
      if (count === null) throw new Error("the server closed the connection");
      filled += count;
      if (head === undefined) {
        const text = decoder.decode(buffer.subarray(0, filled));
        const end = text.indexOf("\r\n\r\n");
        if (end < 0) continue;
        head = text.slice(0, end + 4);
        bodyAt = end + 4;
      }
      const body = buffer.subarray(bodyAt, filled);
      if (isWhole(head, body)) return { head, body };
    }
  };
}

function isWhole(head: string, body: Uint8Array): boolean {
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  if (length !== undefined) return body.length >= Number(length);
  if (/^transfer-encoding: chunked/im.test(head)) {
    return decoder.decode(body.subarray(-7)).endsWith("\r\n0\r\n\r\n") ||
      decoder.decode(body) === "0\r\n\r\n";
  }
  return /^HTTP\/1.1 (202|204)/.test(head);
}
