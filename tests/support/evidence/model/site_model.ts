/**
 * What a site has to hold after a sequence of calls, in memory: which key leads to which pool, what stands in each slot,
 * which certificates are served. It knows nothing of lib/, so that the two can contradict each other.
 */
export interface ModelServer {
  readonly ip: string;
  readonly http_port: number;
  readonly weight: number;
  readonly state: "ready" | "drain" | "maint";
}

export type ModelPools = Map<string, Map<number, ModelServer>>;

export interface ModelCertificate {
  /** SHA-1 of the one in certs/NAME.pem; undefined: there is no such file. */
  readonly file?: string;
  /** The crt-list has its line, so HAProxy serves it. */
  readonly listed: boolean;
  /** certificates.json has its name. */
  readonly known: boolean;
}

export interface SiteModel {
  /** By key: `a.test`, `.a.test` for the wildcard. */
  readonly map: Map<string, string>;
  /** A pool without servers is not in it. */
  readonly pools: ModelPools;
  readonly certificates: Map<string, ModelCertificate>;
  /** What HAPROXY_STATE_FILE holds; undefined: there is none. */
  saved?: ModelPools;
}

export interface Shape {
  readonly pools: number;
  readonly slots: number;
}

export const emptyModel = (): SiteModel => ({
  map: new Map(),
  pools: new Map(),
  certificates: new Map(),
});

export const keyOf = (domain: string): string => domain.startsWith("*.") ? domain.slice(1) : domain;

export const domainOf = (key: string): string => key.startsWith(".") ? `*${key}` : key;

export const slotsOf = ({ pools }: SiteModel, pool: string): ReadonlyMap<number, ModelServer> =>
  pools.get(pool) ?? new Map();

export const keysOf = ({ map }: SiteModel, pool: string): string[] =>
  [...map].filter(([, value]) => value === pool).map(([key]) => key);

export function putServer(model: SiteModel, pool: string, slot: number, server: ModelServer): void {
  model.pools.set(pool, (model.pools.get(pool) ?? new Map()).set(slot, server));
}

export function takeServer({ pools }: SiteModel, pool: string, slot: number): void {
  pools.get(pool)?.delete(slot);
  if (pools.get(pool)?.size === 0) pools.delete(pool);
}

export const isFree = (model: SiteModel, pool: string): boolean =>
  slotsOf(model, pool).size === 0 && keysOf(model, pool).length === 0;

export const poolNames = ({ pools }: Shape): string[] =>
  Array.from({ length: pools }, (_, i) => `pool_${i + 1}`);

export const freePools = (model: SiteModel, shape: Shape): string[] =>
  poolNames(shape).filter((pool) => isFree(model, pool));

export const freeSlots = (model: SiteModel, pool: string, { slots }: Shape): number[] =>
  Array.from({ length: slots }, (_, i) => i + 1).filter((slot) => !slotsOf(model, pool).has(slot));
