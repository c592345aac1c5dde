/** What each writing tool has to answer on a site, and what it has to make of it: the tools' contract, written once more. */
import {
  domainOf,
  freePools,
  freeSlots,
  isFree,
  keyOf,
  keysOf,
  type ModelServer,
  putServer,
  type Shape,
  type SiteModel,
  slotsOf,
  takeServer,
} from "./site_model.ts";

export interface Call {
  /** Without `haproxy_`. */
  readonly tool: string;
  // deno-lint-ignore no-explicit-any -- each tool has its own
  readonly args: Readonly<Record<string, any>>;
}

export type Outcome =
  | { readonly code: string }
  | {
    /** What the structured answer has to hold, among others. */
    readonly says: Readonly<Record<string, unknown>>;
    apply(model: SiteModel): void;
  };

export interface Circumstances {
  readonly shape: Shape;
  /** The pool that a new domain got: the lowest free one, unless others were at it in the same moment. */
  readonly given?: string;
  /** Fingerprints of the PEMs that are for their name and can be used. */
  readonly usable: ReadonlySet<string>;
}

const refuse = (code: string): Outcome => ({ code });

/** Answers what a call has to do to the site as it is. */
export function outcomeOf(model: SiteModel, call: Call, circumstances: Circumstances): Outcome {
  const outcome = EFFECTS[call.tool](model, call.args, circumstances);
  if ("code" in outcome || !call.args.dry_run) return outcome;
  const { loaded, ...says } = outcome.says;
  return { says: { ...says, ...(loaded !== undefined && { loaded: false }) }, apply: () => {} };
}

type Effect = (model: SiteModel, args: Call["args"], circumstances: Circumstances) => Outcome;

const EFFECTS: Readonly<Record<string, Effect>> = {
  add_domain: addDomain,
  remove_domain: removeDomain,
  add_server: (model, { domain, slot, ip, http_port, weight }, circumstances) => {
    const outcome = place(model, domain, [{ slot, ip, http_port, weight }], circumstances);
    if ("code" in outcome) return outcome;
    const { pool, apply, added: [{ replaced, ...server }] } = outcome;
    return { says: { domain, pool, server, replaced }, apply };
  },
  add_servers: (model, { domain, servers }, circumstances) => {
    const list = typeof servers === "string" ? JSON.parse(servers) : servers;
    const outcome = place(model, domain, list, circumstances);
    if ("code" in outcome) return outcome;
    const added = outcome.added.map(({ replaced: _, ...entry }) => entry);
    return { says: { domain, pool: outcome.pool, added, failed: [] }, apply: outcome.apply };
  },
  remove_server: (model, { domain, slot, force = false }, { shape }) => {
    const at = find(model, { domain, slot }, shape);
    if ("code" in at) return at;
    if (!force && isLastHealthy(model, at.pool, at.slot)) return refuse("REFUSED");
    return {
      says: { domain, server: entryOf(at.pool, slot, at.server) },
      apply: (site) => takeServer(site, at.pool, slot),
    };
  },
  set_server_state: (model, { state, force = false, ...address }, { shape }) => {
    const at = find(model, address, shape);
    if ("code" in at) return at;
    const leaves = state !== "ready" && !force;
    if (leaves && isLastHealthy(model, at.pool, at.slot)) return refuse("REFUSED");
    return {
      says: { server: nameOf(at.pool, at.slot), state, previous: at.server.state },
      apply: (site) => putServer(site, at.pool, at.slot, { ...at.server, state }),
    };
  },
  set_server_weight: (model, { weight, ...address }, { shape }) => {
    const at = find(model, address, shape);
    if ("code" in at) return at;
    return {
      says: { server: nameOf(at.pool, at.slot), weight, previous: at.server.weight },
      apply: (site) => putServer(site, at.pool, at.slot, { ...at.server, weight }),
    };
  },
  set_domain_state: (model, { domain, state }) => {
    const pool = model.map.get(keyOf(domain));
    const slots = pool === undefined ? [] : inOrder(slotsOf(model, pool));
    if (pool === undefined || slots.length === 0) return refuse("NOT_FOUND");
    const changed = slots.map(([slot, server]) => [slot, { ...server, state }] as const);
    return {
      says: { domain, servers: changed.map(([slot, server]) => entryOf(pool, slot, server)) },
      apply: (site) => changed.forEach(([slot, server]) => putServer(site, pool, slot, server)),
    };
  },
  load_cert: ({ certificates }, { domain }, { usable }) => {
    const file = certificates.get(domain)?.file;
    if (file === undefined) return refuse("NOT_FOUND");
    if (!usable.has(file)) return refuse("CERTIFICATE");
    return {
      says: { loaded: true },
      apply: (site) => void site.certificates.set(domain, { file, listed: true, known: true }),
    };
  },
  delete_cert: ({ certificates }, { domain }) =>
    domain === "default"
      ? refuse("REFUSED")
      : certificates.has(domain)
      ? { says: { domain }, apply: (site) => void site.certificates.delete(domain) }
      : refuse("NOT_FOUND"),
};

function addDomain(
  model: SiteModel,
  { domain, ip = "", http_port = 80, share_with = "", wildcard = false, dry_run }: Call["args"],
  { shape, given }: Circumstances,
): Outcome {
  const isWildcard = domain.startsWith("*.");
  if ((ip && share_with) || (isWildcard && wildcard)) return refuse("VALIDATION");
  const keys = [keyOf(domain), ...wildcard ? [`.${domain}`] : []];
  if (keys.some((key) => model.map.has(key))) return refuse("CONFLICT");
  const shared = model.map.get(keyOf(share_with));
  if (share_with && shared === undefined) return refuse("NOT_FOUND");
  const pool = shared ?? given ?? freePools(model, shape)[0];
  if (pool === undefined) return refuse("CAPACITY");
  // What a dry run names may be another one's by now.
  if (shared === undefined && !dry_run && !isFree(model, pool)) {
    return refuse(`${pool} was given twice`);
  }
  const first: ModelServer | undefined = ip
    ? { ip, http_port, weight: 1, state: "ready" }
    : undefined;
  const servers = first
    ? [entryOf(pool, 1, first)]
    : shared === undefined
    ? []
    : inOrder(slotsOf(model, pool)).map(([slot, server]) => entryOf(pool, slot, server));
  return {
    says: { domain, pool, shared: shared !== undefined, wildcard: wildcard || isWildcard, servers },
    apply(site) {
      for (const key of keys) site.map.set(key, pool);
      if (first) putServer(site, pool, 1, first);
    },
  };
}

function removeDomain(model: SiteModel, { domain }: Call["args"]): Outcome {
  const key = keyOf(domain);
  const pool = model.map.get(key);
  if (pool === undefined) return refuse("NOT_FOUND");
  const twin = `.${key}`;
  const keys = !key.startsWith(".") && model.map.get(twin) === pool ? [key, twin] : [key];
  const released = keysOf(model, pool).length === keys.length;
  return {
    says: {
      domain: domainOf(key),
      pool,
      pool_released: released,
      servers_removed: released ? slotsOf(model, pool).size : 0,
    },
    apply(site) {
      for (const each of keys) site.map.delete(each);
      if (released) site.pools.delete(pool);
    },
  };
}

interface Wanted {
  readonly slot?: number;
  readonly ip: string;
  readonly http_port?: number;
  readonly weight?: number;
}

interface Placed {
  readonly pool: string;
  readonly added: readonly (ReturnType<typeof entryOf> & { readonly replaced: boolean })[];
  apply(site: SiteModel): void;
}

/** Servers into slots: those that are named first, the others into the lowest that are left. */
function place(
  model: SiteModel,
  domain: string,
  wanted: readonly Wanted[],
  { shape }: Circumstances,
): Placed | { readonly code: string } {
  const named = wanted.flatMap(({ slot = 0 }) => slot > 0 ? [slot] : []);
  if (new Set(named).size < named.length || named.some((slot) => slot > shape.slots)) {
    return { code: "VALIDATION" };
  }
  const pool = model.map.get(keyOf(domain));
  if (pool === undefined) return { code: "NOT_FOUND" };
  const free = freeSlots(model, pool, shape).filter((slot) => !named.includes(slot));
  const places = wanted.map(({ slot = 0, ip, http_port = 80, weight = 1 }) => {
    const server: ModelServer = { ip, http_port, weight, state: "ready" };
    return [slot || free.shift(), server] as const;
  });
  if (places.some(([slot]) => slot === undefined)) return { code: "CAPACITY" };
  const chosen = inOrder(new Map(places as (readonly [number, ModelServer])[]));
  return {
    pool,
    added: chosen.map(([slot, server]) => ({
      ...entryOf(pool, slot, server),
      replaced: slotsOf(model, pool).has(slot),
    })),
    apply: (site: SiteModel) =>
      chosen.forEach(([slot, server]) => putServer(site, pool, slot, server)),
  };
}

interface Found {
  readonly pool: string;
  readonly slot: number;
  readonly server: ModelServer;
}

function find(
  model: SiteModel,
  { domain, slot, backend, server }: Call["args"],
  shape: Shape,
): Found | { readonly code: string } {
  if (slot > shape.slots) return { code: "VALIDATION" };
  const pool = domain === undefined ? backend : model.map.get(keyOf(domain));
  const number = slot ?? Number(server.slice(`${backend}_`.length));
  const found = pool === undefined ? undefined : slotsOf(model, pool).get(number);
  return found ? { pool, slot: number, server: found } : { code: "NOT_FOUND" };
}

/** Its backends always listen, so a server is healthy unless somebody took it out of service. */
function isLastHealthy(model: SiteModel, pool: string, slot: number): boolean {
  if (keysOf(model, pool).length === 0) return false;
  const healthy = [...slotsOf(model, pool)]
    .filter(([, { state, weight }]) => state === "ready" && weight > 0);
  return healthy.length === 1 && healthy[0][0] === slot;
}

const nameOf = (pool: string, slot: number) => `${pool}_${slot}`;

const entryOf = (pool: string, slot: number, server: ModelServer) => ({
  slot,
  name: nameOf(pool, slot),
  ...server,
});

const inOrder = (slots: ReadonlyMap<number, ModelServer>) => [...slots].sort(([a], [b]) => a - b);
