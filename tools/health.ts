/** Health: of a domain, of every server. Of the system: system_health.ts. */
import * as z from "zod";
import { parseDomain } from "../lib/names/domain.ts";
import { SERVER_STATES } from "../lib/names/server.ts";
import { anyBackend, domain } from "./fields.ts";
import { backendOf } from "./places.ts";
import {
  addressOf,
  checkOf,
  fullName,
  isHealthy,
  readBackend,
  readServers,
  type ServerRow,
  statusOf,
} from "./server_rows.ts";
import { duration, textTable } from "./text_table.ts";
import { READS, tool } from "./tool.ts";

const serverHealth = z.object({
  backend: z.string(),
  server: z.string(),
  address: z.string(),
  status: z.string().describe(
    "HAProxy's: UP, DOWN, MAINT, DRAIN, no check, or UP 1/2 before the checks agree.",
  ),
  healthy: z.boolean().describe("It gets new requests: up or unchecked, with a weight above 0."),
  check: z.string().describe("The last health check's result, such as L7OK/200; empty: none yet."),
  last_change_s: z.int().nullable().describe("Seconds since the status changed."),
  weight: z.int(),
  state: z.enum(SERVER_STATES).nullable()
    .describe("As you set it; null for servers that only haproxy.cfg knows."),
});

function healthOf(server: ServerRow): z.output<typeof serverHealth> {
  const { backend, wanted, row } = server;
  return {
    backend,
    server: server.server,
    address: addressOf(server),
    status: statusOf(server),
    healthy: isHealthy(server),
    check: checkOf(server),
    last_change_s: row?.lastchg ? Number(row.lastchg) : null,
    weight: row ? Number(row.weight) : wanted?.weight ?? 0,
    state: wanted?.state ?? null,
  };
}

function serverTable(servers: readonly z.output<typeof serverHealth>[]): string {
  return textTable(
    ["SERVER", "ADDRESS", "STATUS", "SINCE", "WEIGHT", "STATE", "CHECK"],
    servers.map((server) => [
      fullName(server),
      server.address,
      server.status,
      server.last_change_s === null ? "-" : duration(server.last_change_s),
      server.weight,
      server.state ?? "haproxy.cfg",
      server.check || "-",
    ]),
  );
}

const DOMAIN_STATUSES = ["healthy", "degraded", "down", "no_servers"] as const;

export const domainHealth = tool({
  name: "haproxy_domain_health",
  title: "Health of a domain",
  description:
    "Whether a domain is served: healthy (all its servers take requests), degraded (some), down (none, or HAProxy does " +
    "not route it), or no_servers; with each server's address, status and last health check.",
  group: "health",
  hints: READS,
  input: z.strictObject({ domain: domain() }),
  output: z.object({
    domain: z.string(),
    pool: z.string(),
    status: z.enum(DOMAIN_STATUSES),
    servers: z.array(serverHealth),
    healthy_count: z.int(),
    total_count: z.int(),
    routed: z.boolean().describe(
      "HAProxy's map leads the domain there; false after a hand edit that was not restored.",
    ),
  }),
  async run({ domain }, context, { signal }) {
    const asked = parseDomain(domain);
    const pool = await context.transactions.read((desired) => backendOf(desired, asked));
    const { rows, route } = await context.runtime.converse(async (talk) => ({
      rows: await readBackend(context, pool, talk),
      route: await context.transactions.routeOf(asked.key, talk),
    }), { signal });
    const servers = rows.map(healthOf);
    const healthy = servers.filter((server) => server.healthy).length;
    const routed = route === pool;
    const status = routed ? statusOfDomain(healthy, servers.length) : "down";
    const sentence = [
      `${asked.name} -> ${pool}: ${status}`,
      ...(routed ? [] : [astray(asked.name, route)]),
      servers.length > 0
        ? `${healthy} of ${servers.length} servers take requests`
        : "haproxy_add_server adds one",
    ].join(", ");
    return {
      text: servers.length > 0 ? `${sentence}\n${serverTable(servers)}` : sentence,
      structured: {
        domain: asked.name,
        pool,
        status,
        servers,
        healthy_count: healthy,
        total_count: servers.length,
        routed,
      },
    };
  },
});

function astray(domain: string, route: string | undefined): string {
  const now = route === undefined ? `does not route ${domain}` : `routes ${domain} to ${route}`;
  return `but HAProxy ${now} now: haproxy_restore_state puts that right`;
}

function statusOfDomain(healthy: number, total: number): typeof DOMAIN_STATUSES[number] {
  if (total === 0) return "no_servers";
  if (healthy === 0) return "down";
  return healthy < total ? "degraded" : "healthy";
}

export const getServerHealth = tool({
  name: "haproxy_get_server_health",
  title: "Health of the servers",
  description:
    "The status of every server that is configured (UP, DOWN, MAINT, DRAIN, no check), with its address, last " +
    "health check and weight; of one backend where that is named. Empty slots of the pools are left out.",
  group: "health",
  hints: READS,
  input: z.strictObject({
    backend: anyBackend(),
  }),
  output: z.object({ servers: z.array(serverHealth) }),
  async run({ backend }, context, { signal }) {
    const servers = (await readServers(context, backend, signal)).map(healthOf);
    const nothing = backend === "" ? "No servers yet." : `${backend} has no servers.`;
    return {
      text: servers.length > 0 ? serverTable(servers) : nothing,
      structured: { servers },
    };
  },
});
