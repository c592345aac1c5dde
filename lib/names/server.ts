/** Pools and slots: how backends and servers are named in haproxy.cfg, and the states that a server can have. */

export const SERVER_STATES = ["ready", "drain", "maint"] as const;
/** HAProxy's administrative states (management.txt, "set server <b>/<s> state"). */
export type ServerState = typeof SERVER_STATES[number];

/** HAProxy's range of absolute weights (management.txt, "set server <b>/<s> weight"). */
export const MAX_WEIGHT = 256;

export function isWeight(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_WEIGHT;
}

/** How many pools there are, and how many slots each has. */
export interface PoolShape {
  readonly poolCount: number;
  readonly maxSlots: number;
}

export function poolName(number: number): string {
  return `pool_${number}`;
}

/** The name that server-template gives a slot: `pool_5_1`. */
export function serverName(pool: string, slot: number): string {
  return `${pool}_${slot}`;
}

/** The number of a pool's name, or undefined where the name is another backend's or the pool is beyond the count. */
export function poolNumber(name: string, { poolCount }: PoolShape): number | undefined {
  const match = /^pool_([1-9]\d{0,5})$/.exec(name);
  return match && Number(match[1]) <= poolCount ? Number(match[1]) : undefined;
}

/** The slot of a server's name within its pool, or undefined. */
export function slotOf(pool: string, server: string, { maxSlots }: PoolShape): number | undefined {
  const match = server.startsWith(`${pool}_`) &&
    /^[1-9]\d{0,3}$/.exec(server.slice(pool.length + 1));
  return match && Number(match[0]) <= maxSlots ? Number(match[0]) : undefined;
}
