/** Monitoring: traffic by frontend and backend, and who is connected where. */
import * as z from "zod";
import { domainOfKey } from "../lib/names/domain.ts";
import { poolName, poolNumber, type PoolShape } from "../lib/names/server.ts";
import { showFrontendStat } from "../lib/runtime/commands.ts";
import { parseStat, type StatRow } from "../lib/runtime/parse.ts";
import { texts } from "../lib/runtime/replies.ts";
import type { Desired } from "../lib/state/model.ts";
import { anyBackend } from "./fields.ts";
import { fullName, isHealthy, readBackends, readServers, statusOf } from "./server_rows.ts";
import { textTable } from "./text_table.ts";
import { READS, tool } from "./tool.ts";

/** A pool may serve many thousands of domains. */
const MAX_DOMAINS = 20;

/** True where somebody uses the backend: it is a pool with a domain or a server, or one of the user's own. */
export function isUsed(backend: string, desired: Desired, shape: PoolShape): boolean {
  return poolNumber(backend, shape) === undefined || desired.keysOf(backend).size > 0 ||
    desired.slotsOf(backend).size > 0;
}

/** HAProxy's word, without the `(1/2)` that counts a pool's idle slots too. */
export const wordOf = (status = "") => status.replace(/ \(.*/, "");

export const backends = tool({
  name: "haproxy_backends",
  title: "List backends",
  description:
    "Lists the backends in use (pools with a domain or a server, and your own), with the domains that lead there " +
    "and how many of their servers take requests.",
  group: "monitoring",
  hints: READS,
  input: z.strictObject({}),
  output: z.object({
    backends: z.array(z.object({
      name: z.string(),
      status: z.string().describe("HAProxy's: UP or DOWN. A pool without servers is DOWN."),
      domains: z.array(z.string()).describe(`Those that lead there, ${MAX_DOMAINS} at most.`),
      domain_count: z.int(),
      servers_up: z.int().describe("Servers that take requests."),
      servers_total: z.int(),
    })),
    free_pools: z.int().describe("Pools with neither a domain nor a server."),
  }),
  async run(_, context, { signal }) {
    const { shape } = context;
    const read = await readBackends(context, signal);
    const servers = Map.groupBy(read.servers, ({ backend }) => backend);
    const { list, free } = await context.transactions.read((desired) => ({
      free: freePools(desired, shape),
      list: read.backends.filter(({ pxname }) => isUsed(pxname, desired, shape))
        .map(({ pxname: name, status }) => {
          const keys = desired.keysOf(name);
          const own = servers.get(name) ?? [];
          return {
            name,
            status: wordOf(status),
            domains: keys.values().take(MAX_DOMAINS).map(domainOfKey).toArray().sort(),
            domain_count: keys.size,
            servers_up: own.filter(isHealthy).length,
            servers_total: own.length,
          };
        }),
    }));
    const table = textTable(
      ["BACKEND", "STATUS", "UP", "SERVERS", "DOMAINS"],
      list.map(({ name, status, servers_up, servers_total, domains, domain_count }) => [
        name,
        status,
        servers_up,
        servers_total,
        listed(domains, domain_count),
      ]),
    );
    return {
      text: `${table}\n${free} of ${shape.poolCount} pools are free.`,
      structured: { backends: list, free_pools: free },
    };
  },
});

function freePools(desired: Desired, shape: PoolShape): number {
  let free = 0;
  for (let number = 1; number <= shape.poolCount; number++) {
    if (!isUsed(poolName(number), desired, shape)) free++;
  }
  return free;
}

function listed(domains: readonly string[], count: number): string {
  const shown = domains.slice(0, 3);
  const more = count - shown.length;
  return (shown.join(", ") || "-") + (more > 0 ? ` and ${more} more` : "");
}

export const listFrontends = tool({
  name: "haproxy_list_frontends",
  title: "List frontends",
  description:
    "Lists the frontends: status, sessions now, new sessions a second, and the requests so far by HTTP/1, HTTP/2 and HTTP/3.",
  group: "monitoring",
  hints: READS,
  input: z.strictObject({}),
  output: z.object({
    frontends: z.array(z.object({
      name: z.string(),
      status: z.string().describe("HAProxy's: OPEN, FULL or STOP."),
      sessions: z.int().describe("Now."),
      session_limit: z.int(),
      rate: z.int().describe("New sessions in the last second."),
      h1: z.int().describe("Requests by HTTP/1 since HAProxy's start or reload."),
      h2: z.int(),
      h3: z.int(),
    })),
  }),
  async run(_, { runtime }, { signal }) {
    const look = showFrontendStat();
    const replies = await runtime.converse((talk) => talk.exchange([look]), { signal });
    const frontends = parseStat(texts([look], replies)[0]).map((row) => ({
      name: row.pxname,
      status: row.status,
      sessions: count(row, "scur"),
      session_limit: count(row, "slim"),
      rate: count(row, "rate"),
      h1: count(row, "h1req"),
      h2: count(row, "h2req"),
      h3: count(row, "h3req"),
    }));
    const table = textTable(
      ["FRONTEND", "STATUS", "SESSIONS", "LIMIT", "NEW/s", "HTTP/1", "HTTP/2", "HTTP/3"],
      frontends.map((each) => Object.values(each)),
    );
    return { text: table, structured: { frontends } };
  },
});

export const getConnections = tool({
  name: "haproxy_get_connections",
  title: "Connections of the servers",
  description:
    "The sessions of every server that is configured: now, at most and in all since HAProxy's start or reload, and " +
    "the requests that wait for it; of one backend where that is named.",
  group: "monitoring",
  hints: READS,
  input: z.strictObject({
    backend: anyBackend(),
  }),
  output: z.object({
    servers: z.array(z.object({
      backend: z.string(),
      server: z.string(),
      status: z.string(),
      current: z.int(),
      queued: z.int(),
      max: z.int(),
      total: z.int(),
    })),
    total: z.int().describe("Sessions now, of all of them."),
  }),
  async run({ backend }, context, { signal }) {
    const servers = (await readServers(context, backend, signal)).map((server) => ({
      backend: server.backend,
      server: server.server,
      status: statusOf(server),
      current: count(server.row, "scur"),
      queued: count(server.row, "qcur"),
      max: count(server.row, "smax"),
      total: count(server.row, "stot"),
    }));
    const total = servers.reduce((sum, { current }) => sum + current, 0);
    const table = textTable(
      ["SERVER", "STATUS", "NOW", "QUEUED", "MAX", "TOTAL"],
      servers.map(({ backend, server, ...cells }) => [
        fullName({ backend, server }),
        ...Object.values(cells),
      ]),
    );
    return {
      text: servers.length > 0 ? `${table}\n${total} sessions now.` : "No servers.",
      structured: { servers, total },
    };
  },
});

/** A column as a number; 0 where a version or a row type lacks it. */
export function count(row: StatRow | undefined, column: string): number {
  return Number(row?.[column] || 0);
}
