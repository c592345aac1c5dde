/** The desired state: which backend each key of the map names, and what stands in each slot. */
import { poolName, type PoolShape, type ServerState } from "../names/server.ts";

export interface Server {
  /** Canonical. */
  readonly ip: string;
  readonly httpPort: number;
  readonly weight: number;
  readonly state: ServerState;
}

export type Slots = ReadonlyMap<number, Server>;

/** One change of one key or one slot: what stood there, and what shall. Equal sides touch it without changing it. */
export type Change =
  | {
    readonly kind: "map";
    readonly key: string;
    readonly before: string | null;
    readonly after: string | null;
  }
  | {
    readonly kind: "server";
    readonly pool: string;
    readonly slot: number;
    readonly before: Server | null;
    readonly after: Server | null;
  };

/** What tools read. It is never changed but by a transaction. */
export interface Desired {
  /** The backend that a key of the map names. */
  backendOf(key: string): string | undefined;
  /** The keys that name a backend, in the order in which they came. There may be very many. */
  keysOf(backend: string): ReadonlySet<string>;
  /** Every backend that a key names. */
  backends(): Iterable<string>;
  slotsOf(pool: string): Slots;
  /** Keys in the order people look for them: a wildcard after its domain. Starts after `after`. */
  keys(after?: string): Iterable<string>;
  readonly keyCount: number;
  /** How many of them are wildcards. */
  readonly wildcardCount: number;
  pools(): Iterable<readonly [pool: string, slots: Slots]>;
}

export interface DesiredState extends Desired {
  apply(change: Change): void;
}

const NO_SLOTS: Slots = new Map();
const NO_KEYS: ReadonlySet<string> = new Set();

export function desiredState(
  map: Iterable<readonly [string, string]> = [],
  servers: Iterable<readonly [string, Slots]> = [],
): DesiredState {
  const backends = new Map<string, string>();
  const keysByBackend = new Map<string, Set<string>>();
  const pools = new Map<string, Map<number, Server>>();
  // Made when first asked for, then kept sorted: sorting 100,000 keys anew on every page would be slow.
  let sorted: string[] | undefined;
  let wildcards = 0;
  const isWildcard = (key: string) => key.startsWith(".") ? 1 : 0;

  function setKey(key: string, backend: string | null): void {
    const old = backends.get(key);
    if (old !== undefined) {
      const keys = keysByBackend.get(old)!;
      keys.delete(key);
      if (keys.size === 0) keysByBackend.delete(old);
      backends.delete(key);
      wildcards -= isWildcard(key);
    }
    if (backend !== null) {
      backends.set(key, backend);
      wildcards += isWildcard(key);
      const keys = keysByBackend.get(backend);
      if (keys) keys.add(key);
      else keysByBackend.set(backend, new Set([key]));
    }
    if (!sorted || (old === undefined) === (backend === null)) return;
    const at = firstNotBefore(sorted, key);
    if (backend === null) sorted.splice(at, 1);
    else sorted.splice(at, 0, key);
  }

  function setSlot(pool: string, slot: number, server: Server | null): void {
    const slots = pools.get(pool) ?? new Map<number, Server>();
    if (server) slots.set(slot, server);
    else slots.delete(slot);
    if (slots.size > 0) pools.set(pool, slots);
    else pools.delete(pool);
  }

  for (const [key, backend] of map) if (!backends.has(key)) setKey(key, backend);
  for (const [pool, slots] of servers) {
    for (const [slot, server] of slots) setSlot(pool, slot, server);
  }

  return {
    backendOf: (key) => backends.get(key),
    keysOf: (backend) => keysByBackend.get(backend) ?? NO_KEYS,
    backends: () => keysByBackend.keys(),
    slotsOf: (pool) => pools.get(pool) ?? NO_SLOTS,
    get keyCount() {
      return backends.size;
    },
    get wildcardCount() {
      return wildcards;
    },
    *keys(after) {
      sorted ??= [...backends.keys()].sort(compareKeys);
      let i = after === undefined ? 0 : firstNotBefore(sorted, after);
      if (sorted[i] === after) i++;
      for (; i < sorted.length; i++) yield sorted[i];
    },
    pools: () => pools.entries(),
    apply(change) {
      if (change.kind === "map") setKey(change.key, change.after);
      else setSlot(change.pool, change.slot, change.after);
    },
  };
}

/** By the domain, the wildcard's key right behind its domain's. */
function compareKeys(a: string, b: string): number {
  const [left, right] = [a.replace(/^\./, ""), b.replace(/^\./, "")];
  return left < right ? -1 : left > right ? 1 : a.length - b.length;
}

function firstNotBefore(sorted: readonly string[], key: string): number {
  let low = 0;
  for (let high = sorted.length; low < high;) {
    const middle = (low + high) >> 1;
    if (compareKeys(sorted[middle], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What makes `after` of `before`. */
export function changesBetween(before: Desired, after: Desired): Change[] {
  const changes: Change[] = [];
  const backendsOf = (desired: Desired) =>
    new Map(
      [...desired.backends()].flatMap((backend) =>
        [...desired.keysOf(backend)].map((key) => [key, backend] as const)
      ),
    );
  const [old, now] = [backendsOf(before), backendsOf(after)];
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    const [from, to] = [old.get(key) ?? null, now.get(key) ?? null];
    if (from !== to) changes.push({ kind: "map", key, before: from, after: to });
  }
  const pools = new Set([...before.pools(), ...after.pools()].map(([pool]) => pool));
  for (const pool of pools) {
    const [left, right] = [before.slotsOf(pool), after.slotsOf(pool)];
    for (const slot of new Set([...left.keys(), ...right.keys()])) {
      const [from, to] = [left.get(slot) ?? null, right.get(slot) ?? null];
      if (!sameServer(from, to)) {
        changes.push({ kind: "server", pool, slot, before: from, after: to });
      }
    }
  }
  return changes;
}

/** The change that takes `change` back. */
export function inverse(change: Change): Change {
  return { ...change, before: change.after, after: change.before } as Change;
}

export function changesNothing(change: Change): boolean {
  return change.kind === "map"
    ? change.before === change.after
    : sameServer(change.before, change.after);
}

export function sameServer(a: Server | null, b: Server | null): boolean {
  return a === b || (a !== null && b !== null && a.ip === b.ip && a.httpPort === b.httpPort &&
    a.weight === b.weight && a.state === b.state);
}

/** What stands there now, whatever `before` says. */
export function currentValue(desired: Desired, change: Change): string | Server | null {
  return change.kind === "map"
    ? desired.backendOf(change.key) ?? null
    : desired.slotsOf(change.pool).get(change.slot) ?? null;
}

/** The lowest pool that no key names and that holds no server, or undefined. */
export function freePool(desired: Desired, { poolCount }: PoolShape): string | undefined {
  for (let number = 1; number <= poolCount; number++) {
    const pool = poolName(number);
    if (desired.keysOf(pool).size === 0 && desired.slotsOf(pool).size === 0) return pool;
  }
}

/** The lowest slot that holds no server, or undefined. */
export function freeSlot(slots: Slots, { maxSlots }: PoolShape): number | undefined {
  for (let slot = 1; slot <= maxSlots; slot++) if (!slots.has(slot)) return slot;
}
