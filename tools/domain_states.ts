/** Which domains can't be served, and whether somebody wants it so. */
import { domainOfKey } from "../lib/names/domain.ts";
import { type Backends, isHealthy, isWanted, readBackends, type Sides } from "./server_rows.ts";

export interface DomainStates {
  readonly backends: Backends;
  /** Whose ready servers are all down. */
  readonly domainsDown: readonly string[];
  /** Whose servers are all in drain, maint or of weight 0. */
  readonly domainsOff: readonly string[];
  /** That lead to a backend that HAProxy does not have. */
  readonly domainsAstray: readonly string[];
}

/** Throws HAPROXY_UNREACHABLE, and STATE_CORRUPT or STATE_IO for the files. */
export async function readDomainStates(sides: Sides, signal: AbortSignal): Promise<DomainStates> {
  const backends = await readBackends(sides, signal);
  const healthy = new Set(backends.servers.filter(isHealthy).map(({ backend }) => backend));
  const filled = new Set(backends.servers.map(({ backend }) => backend));
  const wanted = new Set(backends.servers.filter(isWanted).map(({ backend }) => backend));
  const known = new Set(backends.backends.map(({ pxname }) => pxname));
  return await sides.transactions.read((desired) => {
    const domainsOf = (isMeant: (backend: string) => boolean) =>
      [...desired.backends()].filter(isMeant)
        .flatMap((backend) => desired.keysOf(backend).values().map(domainOfKey).toArray());
    return {
      backends,
      domainsDown: domainsOf((backend) => wanted.has(backend) && !healthy.has(backend)),
      domainsOff: domainsOf((backend) =>
        filled.has(backend) && !wanted.has(backend) && !healthy.has(backend)
      ),
      domainsAstray: domainsOf((backend) => !known.has(backend)),
    };
  });
}
