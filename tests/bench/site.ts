/** A HAProxy with some domains, and the compiled executable beside it, as its clients reach it. */
import { join } from "node:path";
import { type Serve, startServe } from "../support/agent.ts";
import { type Haproxy, startHaproxy } from "../support/haproxy.ts";
import type { McpTarget, Speech } from "./mcp_load.ts";

export interface SiteOptions {
  readonly pools: number;
  readonly slots: number;
  /** Domains with a pool of their own and a server each, from pool_1 on. @default {0} */
  readonly served?: number;
  /** Domains that share pool_1. @default {0} */
  readonly shared?: number;
}

export interface Site extends AsyncDisposable {
  readonly haproxy: Haproxy;
  readonly agent: Serve;
  target(speech?: Speech): McpTarget;
}

/** Without a limit of requests, which is for strangers. */
const ENV = { MCP_RATE: "0" };

export const servedDomain = (number: number): string => `site-${number}.bench.test`;

export async function openSite(options: SiteOptions): Promise<Site> {
  const stack = new AsyncDisposableStack();
  try {
    const haproxy = stack.use(await openHaproxy(options));
    const agent = stack.use(await startServe(haproxy, { env: ENV }));
    const owned = stack.move();
    return {
      haproxy,
      agent,
      target: (speech = "2026") => ({ url: agent.url, token: agent.token, speech }),
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (cause) {
    await stack.disposeAsync();
    throw cause;
  }
}

/** Its files say the same. Its map is full of them, its servers' slots are empty: an agent brings them in line. */
export async function openHaproxy(
  { pools, slots, served = 0, shared = 0 }: SiteOptions,
): Promise<Haproxy> {
  const numbers = Array.from({ length: served }, (_, i) => i + 1);
  const domains = mapOf([
    ...numbers.map((number) => [servedDomain(number), number] as const),
    ...Array.from({ length: shared }, (_, i) => [`shared-${i}.bench.test`, 1] as const),
  ]);
  const haproxy = await startHaproxy({ pools, slots, domains });
  await Deno.writeTextFile(join(haproxy.root, "conf/servers.json"), serversOf(numbers, 1));
  return haproxy;
}

/** domains.map of these domains and the numbers of their pools. */
export const mapOf = (domains: readonly (readonly [string, number])[]): string =>
  domains.map(([domain, pool]) => `${domain} pool_${pool}\n`).join("");

/** servers.json with so many servers in each of these pools. */
export function serversOf(pools: readonly number[], servers: number): string {
  const slots = Array.from(
    { length: servers },
    (_, i) => [i + 1, { ip: "127.0.0.1", http_port: 8001 + i }] as const,
  );
  return JSON.stringify(
    Object.fromEntries(pools.map((pool) => [`pool_${pool}`, Object.fromEntries(slots)])),
  );
}
