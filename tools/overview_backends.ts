/** The status page's list: backends with the domains that lead there, in the order in which people look for them. */
import { domainOfKey } from "../lib/names/domain.ts";
import type {
  BackendPage,
  BackendView,
  OverviewQuestion,
  ServerView,
  Standing,
  Trouble,
} from "../lib/overview.ts";
import type { Desired } from "../lib/state/model.ts";
import { count } from "./monitoring.ts";
import {
  addressOf,
  type Backends,
  checkOf,
  fullName,
  isHealthy,
  isWanted,
  type ServerRow,
  statusOf,
} from "./server_rows.ts";

/** A page stays small however many there are. */
export const PAGE_SIZE = 100;
/** Of a backend that thousands of domains share. */
export const MAX_NAMED = 20;
const MAX_TROUBLES = 10;

export interface Listing {
  readonly backends: BackendPage;
  readonly troubles: readonly Trouble[];
  readonly troubleCount: number;
  readonly servers: number;
  readonly healthy?: number;
}

/** @param seen what HAProxy reports; undefined: it does not answer, and disk alone tells */
export function listing(
  desired: Desired,
  seen: Backends | undefined,
  { search, page }: OverviewQuestion,
): Listing {
  const servers = seen?.servers ?? serversOnDisk(desired);
  const rows = Map.groupBy(servers, ({ backend }) => backend);
  const known = seen && new Set(seen.backends.map(({ pxname }) => pxname));
  const standingOf = (name: string): Standing => {
    if (known === undefined) return "unseen";
    return known.has(name) ? standing(rows.get(name) ?? []) : "astray";
  };
  const used = new Set([...desired.backends(), ...rows.keys()]);
  const wanted = search.trim().toLowerCase();
  const domains = domainsByBackend(desired, "");
  const matching = wanted === "" ? domains : domainsByBackend(desired, wanted);
  const bearsIt = (name: string) =>
    name.toLowerCase().includes(wanted) ||
    (rows.get(name) ?? []).some((server) =>
      fullName(server).toLowerCase().includes(wanted) || addressOf(server).includes(wanted)
    );
  // Those to which no domain leads come last.
  const others = [...used].filter((name) => !matching.has(name) && bearsIt(name)).sort(compare);
  const found = [...matching.keys(), ...others];
  const pages = Math.max(1, Math.ceil(found.length / PAGE_SIZE));
  const shown = Math.min(Math.max(1, page), pages);

  const viewOf = (name: string): BackendView => ({
    name,
    domains: matching.get(name) ?? domains.get(name) ?? [],
    domainCount: desired.keysOf(name).size,
    standing: standingOf(name),
    healthy: (rows.get(name) ?? []).filter(isHealthy).length,
    servers: (rows.get(name) ?? []).map((server) => serverView(server, seen !== undefined)),
  });
  const troubleOf = (name: string): Trouble => ({
    backend: name,
    domain: domains.get(name)?.[0] ?? "",
    domains: desired.keysOf(name).size,
    standing: standingOf(name),
  });
  const troubled = [...used].map(troubleOf).filter(({ standing }) => isTrouble(standing))
    .sort((a, b) => ORDER[a.standing] - ORDER[b.standing] || compare(a.backend, b.backend));
  return {
    backends: {
      list: found.slice((shown - 1) * PAGE_SIZE, shown * PAGE_SIZE).map(viewOf),
      count: found.length,
      page: shown,
      pages,
    },
    troubles: troubled.slice(0, MAX_TROUBLES),
    troubleCount: troubled.length,
    servers: servers.length,
    ...(seen && { healthy: servers.filter(isHealthy).length }),
  };
}

const ORDER: Readonly<Record<Standing, number>> = {
  down: 0,
  astray: 1,
  degraded: 2,
  off: 3,
  empty: 4,
  up: 5,
  unseen: 6,
};

const isTrouble = (standing: Standing) => ORDER[standing] <= ORDER.degraded;

function standing(servers: readonly ServerRow[]): Standing {
  if (servers.length === 0) return "empty";
  const wanted = servers.filter(isWanted);
  if (wanted.length === 0) return "off";
  const healthy = wanted.filter(isHealthy).length;
  return healthy === wanted.length ? "up" : healthy > 0 ? "degraded" : "down";
}

function serversOnDisk(desired: Desired): ServerRow[] {
  return [...desired.pools()].flatMap(([backend, slots]) =>
    [...slots].sort(([a], [b]) => a - b)
      .map(([slot, wanted]) => ({ backend, server: `${backend}_${slot}`, wanted }))
  );
}

/** Backends by their first domain, each with the first of its domains. */
function domainsByBackend(desired: Desired, search: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const key of desired.keys()) {
    const domain = domainOfKey(key);
    if (search !== "" && !domain.includes(search)) continue;
    const backend = desired.backendOf(key)!;
    const domains = found.get(backend);
    if (domains === undefined) found.set(backend, [domain]);
    else if (domains.length < MAX_NAMED) domains.push(domain);
  }
  return found;
}

/** `pool_9` before `pool_10`. */
const compare = new Intl.Collator("en", { numeric: true }).compare;

function serverView(server: ServerRow, seen: boolean): ServerView {
  const { row, wanted } = server;
  return {
    name: fullName(server),
    address: addressOf(server),
    status: seen ? statusOf(server) : "",
    healthy: isHealthy(server),
    ...(wanted && { state: wanted.state }),
    check: checkOf(server),
    ...(row?.lastchg && { changed: Number(row.lastchg) }),
    connections: count(row, "scur"),
    queued: count(row, "qcur"),
    weight: row ? Number(row.weight) : wanted?.weight ?? 0,
  };
}
