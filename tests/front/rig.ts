/** The front room in this process, a tools room of fixtures at the other end, and real MCP clients. */
import { type Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { type FrontSettings, readSettings } from "../../lib/config.ts";
import {
  type FrontActs,
  type FrontRoom,
  openFrontRoom,
  type Tokens,
} from "../../lib/front/room.ts";
import type { ServerVariant } from "../../lib/front/mcp/server.ts";
import { connect } from "../../lib/rpc/mod.ts";
import { type Era, newClient } from "../support/mcp_client.ts";
import { DEFINITIONS, type FixtureTools, openFixtureTools, pause, RESOURCES } from "./fixtures.ts";

export { ERAS, newClient } from "../support/mcp_client.ts";

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

export interface RigOptions {
  readonly env?: Parameters<typeof readSettings>[0];
  readonly settings?: Partial<FrontSettings>;
  readonly allowedHosts?: readonly string[];
  readonly variant?: ServerVariant;
  /** Stands in for the fixtures of the first tools room. */
  readonly tools?: FixtureTools;
  /** @default {1000} */
  readonly maxConnections?: number;
}

export async function openRig(options: RigOptions = {}) {
  const { env, settings, variant, allowedHosts = ["localhost", "127.0.0.1", "::1"] } = options;
  const { port1, port2 } = new MessageChannel();
  const deaf: string[] = [];
  const acts: FrontActs = { stdinEnded() {}, toolsDeaf: ({ tool }) => void deaf.push(tool) };
  openFrontRoom(port2, variant);
  const front = connect<FrontRoom>(port1, acts);
  const rooms: FixtureTools[] = [];
  const attach = async (room: FixtureTools) => {
    rooms.push(room);
    await front.call("attach", { port: room.port }, { transfer: [room.port] });
  };
  const tools = options.tools ?? openFixtureTools();
  if (!options.tools) tools.serve();
  await attach(tools);
  const base = readSettings({ MCP_HOST: "127.0.0.1", MCP_PORT: "0", ...env });
  const port = await front.call("serveHttp", {
    settings: { ...base.front, ...settings },
    logging: base.logging,
    definitions: DEFINITIONS,
    resources: RESOURCES,
    allowedHosts,
    tokens: await bothTokens(),
    maxConnections: options.maxConnections ?? 1_000,
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
    /** A gauge of /metrics. */
    async gauge(name: string): Promise<number> {
      const headers = { Authorization: `Bearer ${FULL_TOKEN}` };
      const text = await (await fetch(url.replace("/mcp", "/metrics"), { headers })).text();
      return Number(new RegExp(`^haproxy_mcp_${name} (.+)$`, "m").exec(text)?.[1]);
    },
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

/** Waits until `condition` holds; fails after 5 s. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  for (let waited = 0; !await condition(); waited += 5) {
    if (waited > 5_000) throw new Error(`Waited 5 s in vain until ${what}.`);
    await pause(5);
  }
}
