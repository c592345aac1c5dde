/** From what a caller names to what it is in the desired state: domains to pools, addresses to slots. */
import { AgentError } from "../lib/errors.ts";
import { type Domain, domainOfKey, parseDomain } from "../lib/names/domain.ts";
import { poolNumber, type PoolShape, serverName, slotOf } from "../lib/names/server.ts";
import type { Desired, Server } from "../lib/state/model.ts";

/** The backend of a domain. Throws NOT_FOUND. */
export function backendOf(desired: Desired, domain: Domain): string {
  const backend = desired.backendOf(domain.key);
  if (backend !== undefined) return backend;
  throw new AgentError("NOT_FOUND", `There is no domain ${domain.name}.`, {
    hint: "haproxy_list_domains shows them all; include_wildcards=true also the wildcards.",
  });
}

/** The pool of a domain. Throws UNSUPPORTED where the map sends it to a backend of the user's own. */
export function poolOf(desired: Desired, domain: Domain, shape: PoolShape): string {
  const backend = backendOf(desired, domain);
  if (poolNumber(backend, shape) !== undefined) return backend;
  throw new AgentError(
    "UNSUPPORTED",
    `${domain.name} goes to ${backend}, which is not one of the pools pool_1 to pool_${shape.poolCount}.`,
    { hint: "Servers of other backends stand in haproxy.cfg." },
  );
}

/** A slot that exists by the settings. Throws VALIDATION. */
export function checkSlot(slot: number, shape: PoolShape): number {
  if (slot <= shape.maxSlots) return slot;
  throw new AgentError(
    "VALIDATION",
    `slot ${slot} does not exist: a pool has slots 1 to ${shape.maxSlots}.`,
    {
      hint: "Name another slot, or raise HAPROXY_MAX_SLOTS together with haproxy.cfg.",
    },
  );
}

export interface Place {
  readonly pool: string;
  readonly slot: number;
  /** `pool_5_1`. */
  readonly name: string;
  readonly server: Server;
}

export interface Address {
  readonly domain?: string;
  readonly slot?: number;
  readonly backend?: string;
  readonly server?: string;
}

/** The server that an address names. Throws VALIDATION unless it is exactly one pair, NOT_FOUND for an empty slot. */
export function place(desired: Desired, address: Address, shape: PoolShape): Place {
  const { pool, slot } = slotAt(desired, address, shape);
  const server = desired.slotsOf(pool).get(slot);
  const name = serverName(pool, slot);
  if (server) return { pool, slot, name, server };
  const taken = [...desired.slotsOf(pool).keys()].sort((a, b) => a - b);
  throw new AgentError("NOT_FOUND", `There is no server in slot ${slot} of ${pool}.`, {
    hint: taken.length > 0
      ? `It has servers in slots ${taken.join(", ")}.`
      : `${pool} has no servers.`,
  });
}

function slotAt(desired: Desired, { domain, slot, backend, server }: Address, shape: PoolShape) {
  if (domain !== undefined && slot !== undefined && backend === undefined && server === undefined) {
    // What is wrong with the call itself comes first.
    const at = checkSlot(slot, shape);
    return { pool: poolOf(desired, parseDomain(domain), shape), slot: at };
  }
  if (backend !== undefined && server !== undefined && domain === undefined && slot === undefined) {
    const found = poolNumber(backend, shape) === undefined
      ? undefined
      : slotOf(backend, server, shape);
    if (found !== undefined) return { pool: backend, slot: found };
    throw new AgentError(
      "NOT_FOUND",
      `There is no server ${quote(server)} in a pool ${quote(backend)}.`,
      {
        hint:
          `Pools are pool_1 to pool_${shape.poolCount}, servers pool_N_1 to pool_N_${shape.maxSlots}.`,
      },
    );
  }
  throw new AgentError(
    "VALIDATION",
    "A server is named by domain and slot, or by backend and server.",
    {
      hint: "Give exactly one of the two pairs.",
    },
  );
}

const quote = (name: string) => JSON.stringify(name.slice(0, 100));

/** The domains that use a pool, for messages: `a.com, b.com, c.com and 3 more`. */
export function usersOf(desired: Desired, pool: string): string {
  const keys = desired.keysOf(pool);
  const names = keys.values().take(3).map(domainOfKey).toArray();
  const more = keys.size - names.length;
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
