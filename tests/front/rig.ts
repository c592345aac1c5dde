/** The front room in this process, a tools room of fixtures at the other end, and real MCP clients. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { type FrontSettings, readSettings } from "../../lib/config.ts";
import { AgentError } from "../../lib/errors.ts";
import {
  type FrontActs,
  type FrontRoom,
  type FrontVariant,
  openFrontRoom,
  type Tokens,
  type ToolCall,
} from "../../lib/front/room.ts";
import { type CallContext, connect } from "../../lib/rpc/mod.ts";
import type { ToolDefinition, ToolGroup, ToolResult } from "../../lib/tool_definition.ts";

export const ERAS = ["2025", "2026"] as const;
export type Era = typeof ERAS[number];

export const FULL_TOKEN = "full-access-token-of-the-test";
export const READ_TOKEN = "read-only-token-of-the-test";

export async function digestOf(token: string): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(token);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

const bothTokens = async (): Promise<Tokens> => ({
  full: [await digestOf(FULL_TOKEN)],
  read: [await digestOf(READ_TOKEN)],
});

function define(name: string, readOnlyHint: boolean, group: ToolGroup = "domains"): ToolDefinition {
  return {
    name,
    title: `Title of ${name}`,
    description: `What ${name} does.`,
    group,
    inputSchema: { type: "object", properties: { n: { type: "integer" } }, required: ["n"] },
    outputSchema: { type: "object", properties: { args: {} } },
    annotations: {
      readOnlyHint,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: false,
    },
    deadlineMs: 20_000,
    deadlineFromTimeout: false,
  };
}

export const DEFINITIONS: readonly ToolDefinition[] = [
  define("read", true),
  define("write", false, "servers"),
  define("slow_read", true),
  define("slow_write", false),
  define("count", true, "health"),
  define("refuse", true),
  { ...define("deaf", true), deadlineMs: 100 },
  { ...define("late", false), deadlineMs: 100 },
  { ...define("patient", true), deadlineMs: 50, deadlineFromTimeout: true },
];

const pause = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

const echo = ({ args, caller }: ToolCall): ToolResult => ({
  text: `echo ${JSON.stringify(args)}`,
  structured: { args, caller },
});

/** A tools room of fixtures: what it was called with, and how its calls ended. */
export function openFixtureTools(name = "first") {
  const begun: string[] = [];
  const aborted: string[] = [];
  const slow = (tool: string) => async (_call: ToolCall, { signal }: CallContext) => {
    begun.push(tool);
    try {
      await pause(15_000, signal);
    } catch (cause) {
      aborted.push(tool);
      throw cause;
    }
    return { text: "ended", structured: {} };
  };
  const handlers = {
    read: (call: ToolCall) => (begun.push("read"), { ...echo(call), text: `${name} read` }),
    write: (call: ToolCall) => (begun.push("write"), echo(call)),
    slow_read: slow("slow_read"),
    slow_write: slow("slow_write"),
    late: slow("late"),
    async patient(call: ToolCall) {
      await pause(300);
      return echo(call);
    },
    async count(call: ToolCall, { progress }: CallContext) {
      for (let n = 1; n <= 3; n++) {
        progress({ progress: n, total: 3, message: `step ${n}` });
        await pause(30);
      }
      return echo(call);
    },
    refuse() {
      throw new AgentError("CAPACITY", "pool_5 has no free slot (10 of 10 used).", {
        hint: "Remove a server or raise HAPROXY_MAX_SLOTS.",
        details: { pool: "pool_5" },
      });
    },
    deaf: () => new Promise(() => {}),
  };
  const { port1, port2 } = new MessageChannel();
  return {
    port: port1,
    begun,
    aborted,
    /** Reads its port from now on; until then calls wait there, not begun. */
    serve: () => void connect(port2, handlers),
    close: () => port2.close(),
  };
}

export interface RigOptions {
  readonly env?: Parameters<typeof readSettings>[0];
  readonly settings?: Partial<FrontSettings>;
  readonly allowedHosts?: readonly string[];
  readonly variant?: FrontVariant;
  /** Stands in for the fixtures of the first tools room. */
  readonly tools?: ReturnType<typeof openFixtureTools>;
}

export async function openRig(options: RigOptions = {}) {
  const { env, settings, variant, allowedHosts = ["localhost", "127.0.0.1", "::1"] } = options;
  const { port1, port2 } = new MessageChannel();
  const deaf: string[] = [];
  const acts: FrontActs = { stdinEnded() {}, toolsDeaf: ({ tool }) => void deaf.push(tool) };
  openFrontRoom(port2, variant);
  const front = connect<FrontRoom>(port1, acts);
  const rooms: ReturnType<typeof openFixtureTools>[] = [];
  const attach = async (room: ReturnType<typeof openFixtureTools>) => {
    rooms.push(room);
    await front.call("attach", { port: room.port }, { transfer: [room.port] });
  };
  const tools = options.tools ?? openFixtureTools();
  if (!options.tools) tools.serve();
  await attach(tools);
  const base = readSettings({ MCP_HOST: "127.0.0.1", MCP_PORT: "0", ...env }).front;
  const port = await front.call("serveHttp", {
    settings: { ...base, ...settings },
    definitions: DEFINITIONS,
    allowedHosts,
    tokens: await bothTokens(),
  });
  const url = `http://127.0.0.1:${port}/mcp`;
  const clients: Client[] = [];
  return {
    url,
    port,
    front,
    tools,
    attach,
    deaf,
    async client(era: Era, token = FULL_TOKEN) {
      const client = newClient(era);
      clients.push(client);
      await client.connect(
        new StreamableHTTPClientTransport(new URL(url), {
          requestInit: { headers: { Authorization: `Bearer ${token}` } },
        }),
      );
      return client;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()));
      await front.call("stop", { graceMs: 0 });
      for (const room of rooms) room.close();
      port1.close();
      port2.close();
    },
  };
}

export function newClient(era: Era): Client {
  return new Client({ name: "test-client", version: "1" }, {
    versionNegotiation: { mode: era === "2025" ? "legacy" : { pin: "2026-07-28" } },
  });
}

/** Waits until `condition` holds; fails after 5 s. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    if (waited > 5_000) throw new Error(`Waited 5 s in vain until ${what}.`);
    await pause(5);
  }
}
