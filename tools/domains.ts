/** Domains: which there are, and the two changes of the map. */
import * as z from "zod";
import { counted } from "../lib/counted.ts";
import { AgentError } from "../lib/errors.ts";
import { type Domain, domainOfKey, parseDomain, wildcardKey } from "../lib/names/domain.ts";
import { parseServerIp } from "../lib/names/address.ts";
import { poolNumber } from "../lib/names/server.ts";
import { type Change, type Desired, freePool, type Server } from "../lib/state/model.ts";
import { byNumber } from "../lib/state/servers_file.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import {
  answer,
  confirm,
  domain,
  dryRun,
  entryOf,
  flag,
  hostPort,
  httpPort,
  serverEntry,
  text,
  whole,
  wouldChange,
} from "./fields.ts";
import { backendOf } from "./places.ts";
import { ADDS, CHANGES, READS, tool } from "./tool.ts";

/** A pool may serve many thousands of domains, and a page lists a thousand of them. */
const MAX_SHARED = 20;

const domainEntry = z.object({
  domain: z.string(),
  pool: z.string().describe("The backend that serves it: one of the pools, or one of your own."),
  wildcard: z.boolean(),
  shared_with: z.array(z.string())
    .describe(`Other domains of the same pool, ${MAX_SHARED} at most.`),
  servers: z.array(serverEntry),
});

/** `• api.example.com -> pool_1 (pool): pool_1_1=10.0.0.1:8080, …`, the original's line. */
function line({ domain, pool, servers }: z.output<typeof domainEntry>): string {
  const list = servers.map((server) => `${server.name}=${hostPort(server)}`).join(", ");
  return `• ${domain} -> ${pool} (pool): ${list || "no servers"}`;
}

const serversOf = (desired: Desired, pool: string) =>
  byNumber(desired.slotsOf(pool)).map(([slot, server]) => entryOf(pool, slot, server));

export const listDomains = tool({
  name: "haproxy_list_domains",
  title: "List domains",
  description: "Lists the domains that HAProxy routes, each with its pool and servers, by name. " +
    "Long lists come in pages: pass next_cursor as cursor.",
  group: "domains",
  hints: READS,
  input: z.strictObject({
    include_wildcards: flag(false).describe("Also list wildcards such as *.example.com."),
    cursor: text().default("").describe(
      "next_cursor of the page before; empty for the first page.",
    ),
    limit: whole(1, 10_000).default(1000).describe("Domains a page."),
  }),
  output: z.object({
    domains: z.array(domainEntry),
    count: z.int().describe("Of all pages."),
    next_cursor: z.string().describe("Empty on the last page."),
  }),
  async run({ include_wildcards, cursor, limit }, { transactions }) {
    const after = cursor === "" ? undefined : decodeCursor(cursor);
    const shown = (key: string) => include_wildcards || !key.startsWith(".");
    return await transactions.read((desired) => {
      const page: string[] = [];
      let more = false;
      for (const key of desired.keys(after)) {
        if (!shown(key)) continue;
        more = page.length === limit;
        if (more) break;
        page.push(key);
      }
      const domains = page.map((key) => {
        const pool = desired.backendOf(key)!;
        const others = desired.keysOf(pool).values()
          .filter((other) => other !== key && shown(other)).take(MAX_SHARED);
        return {
          domain: domainOfKey(key),
          pool,
          wildcard: key.startsWith("."),
          shared_with: others.map(domainOfKey).toArray().sort(),
          servers: serversOf(desired, pool),
        };
      });
      const count = include_wildcards ? desired.keyCount : desired.keyCount - desired.wildcardCount;
      const next_cursor = more ? encodeCursor(page[page.length - 1]) : "";
      const rest = more ? [`${count} in all; the next page: cursor=${next_cursor}`] : [];
      return {
        text: [...domains.map(line), ...rest].join("\n") || "No domains yet.",
        structured: { domains, count, next_cursor },
      };
    });
  },
});

export const addDomain = tool({
  name: "haproxy_add_domain",
  title: "Add a domain",
  description:
    "Routes a domain to a pool, with no reload: to the lowest free pool, with a first server " +
    "in slot 1 where ip is given, or with share_with to the pool of another domain.",
  group: "domains",
  hints: ADDS,
  input: z.strictObject({
    domain: domain(),
    ip: text().default("").describe("First server's IPv4 or IPv6 address; empty for none yet."),
    http_port: httpPort(),
    share_with: text().default("").describe(
      "A domain whose pool and servers this one shall use, too.",
    ),
    wildcard: flag(false).describe("Route *.DOMAIN (one label) to the same pool as well."),
    ...dryRun,
  }),
  output: z.object({
    domain: z.string(),
    pool: z.string(),
    shared: z.boolean(),
    wildcard: z.boolean(),
    servers: z.array(serverEntry),
    ...wouldChange,
  }),
  async run({ domain, ip, http_port, share_with, wildcard }, context, call) {
    const added = parseDomain(domain);
    const shared = share_with === "" ? undefined : parseDomain(share_with);
    const first: Server | undefined = ip === ""
      ? undefined
      : { ip: parseServerIp(ip), httpPort: http_port, weight: 1, state: "ready" };
    if (first && shared) {
      throw new AgentError("VALIDATION", "ip and share_with exclude each other.", {
        hint: "A domain that shares a pool uses that pool's servers.",
      });
    }
    if (added.wildcard && wildcard) {
      throw new AgentError("VALIDATION", `${added.name} is a wildcard already.`, {
        hint: `Give ${added.name.slice(2)} with wildcard=true for both, or leave wildcard out.`,
      });
    }
    const keys = wildcard ? [added.key, wildcardKey(added.key)] : [added.key];

    const { result, preview } = await call.change((desired) => {
      for (const key of keys) {
        const pool = desired.backendOf(key);
        if (pool === undefined) continue;
        throw new AgentError("CONFLICT", `${domainOfKey(key)} exists already, in ${pool}.`, {
          hint: "haproxy_add_server adds servers to it; haproxy_remove_domain removes it.",
        });
      }
      const pool = shared ? backendOf(desired, shared) : freePool(desired, context.shape);
      if (pool === undefined) throw noFreePool(context.shape.poolCount);
      const changes: Change[] = [
        ...(first ? [{ kind: "server", pool, slot: 1, before: null, after: first } as const] : []),
        ...(first || poolNumber(pool, context.shape) === undefined ? [] : [looked(desired, pool)]),
        ...keys.map((key) => ({ kind: "map", key, before: null, after: pool }) as const),
      ];
      const servers = first ? [entryOf(pool, 1, first)] : serversOf(desired, pool);
      return { changes, result: { pool, servers } };
    });
    const structured = {
      domain: added.name,
      pool: result.pool,
      shared: shared !== undefined,
      wildcard: wildcard || added.wildcard,
      servers: result.servers,
    };
    return answer(
      `Added ${line({ ...structured, shared_with: [] }).slice(2)}`,
      structured,
      preview,
    );
  },
});

/** Changes nothing, but has HAProxy's side of the pool brought in line before a domain leads there. */
function looked(desired: Desired, pool: string): Change {
  const server = desired.slotsOf(pool).get(1) ?? null;
  return { kind: "server", pool, slot: 1, before: server, after: server };
}

function noFreePool(poolCount: number): AgentError {
  return new AgentError("CAPACITY", `No pool is free: all ${poolCount} are in use.`, {
    hint:
      "Let domains share a pool (share_with), remove one, or raise HAPROXY_POOL_COUNT together with haproxy.cfg.",
  });
}

export const removeDomain = tool({
  name: "haproxy_remove_domain",
  title: "Remove a domain",
  description:
    "Takes a domain out of the map, with no reload, and its wildcard where that leads to the same " +
    "pool. The pool's servers go with its last domain; a shared pool keeps them.",
  group: "domains",
  hints: CHANGES,
  input: z.strictObject({ domain: domain(), ...confirm, ...dryRun }),
  output: z.object({
    domain: z.string(),
    pool: z.string(),
    pool_released: z.boolean().describe(
      "True when no other domain uses the pool: it is free again.",
    ),
    servers_removed: z.int(),
    ...wouldChange,
  }),
  async run({ domain }, context, call) {
    const removed = parseDomain(domain);
    const { result, preview } = await call.change((desired) => {
      const pool = backendOf(desired, removed);
      const keys = keysThatGo(desired, removed, pool);
      // The user's own backends are never ours to empty.
      const released = poolNumber(pool, context.shape) !== undefined &&
        desired.keysOf(pool).size === keys.length;
      const servers = released ? [...desired.slotsOf(pool)] : [];
      const changes: Change[] = [
        ...keys.map((key) => ({ kind: "map", key, before: pool, after: null }) as const),
        ...servers.map(([slot, server]) =>
          ({ kind: "server", pool, slot, before: server, after: null }) as const
        ),
      ];
      return {
        changes,
        result: { pool, pool_released: released, servers_removed: servers.length, keys },
      };
    });
    const { keys, ...structured } = result;
    const names = keys.map(domainOfKey).join(" and ");
    const fate = result.pool_released
      ? `${result.pool} is free again (${counted(result.servers_removed, "server")} removed)`
      : `${result.pool} keeps its servers`;
    return answer(`Removed ${names}; ${fate}.`, { domain: removed.name, ...structured }, preview);
  },
});

function keysThatGo(desired: Desired, { key, wildcard }: Domain, pool: string): string[] {
  const twin = wildcardKey(key);
  return !wildcard && desired.backendOf(twin) === pool ? [key, twin] : [key];
}
