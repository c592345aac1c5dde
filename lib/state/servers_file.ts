/** servers.json: `{"pool_5": {"1": {"ip": "10.0.0.1", "http_port": 80, "weight": 1, "state": "ready"}}}`. */
import { AgentError } from "../errors.ts";
import { isPort, parseServerIp } from "../names/address.ts";
import {
  isWeight,
  poolNumber,
  type PoolShape,
  SERVER_STATES,
  type ServerState,
} from "../names/server.ts";
import { type Corrupt, object, parseJson } from "./json.ts";
import { sameServer, type Server, type Slots } from "./model.ts";

/**
 * Reads the file. A pool may also stand under the name of a domain that `backendOf` routes to it, as the original wrote
 * it. Throws STATE_CORRUPT with file and place.
 */
export function parseServersFile(
  text: string,
  path: string,
  shape: PoolShape,
  backendOf: (key: string) => string | undefined,
): Map<string, Slots> {
  const corrupt = (place: string, what: string) =>
    new AgentError("STATE_CORRUPT", `${path}, ${place}: ${what}.`, {
      hint: "Correct the file by hand, or put back a good copy. Nothing was changed.",
    });
  const pools = new Map<string, Map<number, Server>>();

  for (
    const [name, slots] of Object.entries(object(parseJson(text, corrupt), "the whole", corrupt))
  ) {
    const pool = name.startsWith("pool_") ? name : backendOf(name.toLowerCase());
    if (pool === undefined) throw corrupt(name, "it is neither a pool nor a domain of the map");
    if (poolNumber(pool, shape) === undefined) {
      throw corrupt(name, `${pool} is not one of the pools pool_1 to pool_${shape.poolCount}`);
    }
    for (const [key, value] of Object.entries(object(slots, name, corrupt))) {
      const place = `${name}.${key}`;
      const slot = Number(key);
      if (!/^[1-9]\d*$/.test(key) || slot > shape.maxSlots) {
        throw corrupt(
          place,
          `${JSON.stringify(key)} is not one of the slots 1 to ${shape.maxSlots}`,
        );
      }
      const server = parseServer(object(value, place, corrupt), place, corrupt);
      const known = pools.get(pool)?.get(slot);
      if (known && !sameServer(known, server)) {
        throw corrupt(place, `slot ${slot} of ${pool} stands here twice, with different servers`);
      }
      pools.set(pool, (pools.get(pool) ?? new Map<number, Server>()).set(slot, server));
    }
  }
  return pools;
}

function parseServer(value: Record<string, unknown>, place: string, corrupt: Corrupt): Server {
  const { ip, http_port = 80, weight = 1, state = "ready", ...unknown } = value;
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) throw corrupt(place, `${JSON.stringify(extra)} is not known here`);
  if (!isPort(http_port)) {
    throw corrupt(place, `http_port ${JSON.stringify(http_port)} is not a port`);
  }
  if (!isWeight(weight)) throw corrupt(place, `weight ${JSON.stringify(weight)} is not 0 to 256`);
  if (!SERVER_STATES.includes(state as ServerState)) {
    throw corrupt(
      place,
      `state ${JSON.stringify(state)} is not one of ${SERVER_STATES.join(", ")}`,
    );
  }
  if (typeof ip !== "string") throw corrupt(place, `ip ${JSON.stringify(ip)} is not an address`);
  try {
    return {
      ip: parseServerIp(ip),
      httpPort: http_port,
      weight,
      state: state as ServerState,
    };
  } catch (cause) {
    throw corrupt(place, AgentError.from(cause).message.replace(/\.$/, ""));
  }
}

/** A server as the file holds it. */
export function serverJson({ ip, httpPort, weight, state }: Server): Record<string, unknown> {
  return { ip, http_port: httpPort, weight, state };
}

/** The file's text: pools and slots in the order of their numbers, one server a line. */
export function renderServersFile(pools: Iterable<readonly [string, Slots]>): string {
  const blocks = byNumber(pools).map(([pool, slots]) => {
    const rows = byNumber(slots).map(([slot, server]) =>
      `    "${slot}": ${JSON.stringify(serverJson(server))}`
    );
    return `  ${JSON.stringify(pool)}: {\n${rows.join(",\n")}\n  }`;
  });
  return blocks.length === 0 ? "{}\n" : `{\n${blocks.join(",\n")}\n}\n`;
}

/** By the number at the end of the key: `pool_10` after `pool_9`, slot 10 after slot 9. */
export function byNumber<K extends string | number, V>(
  entries: Iterable<readonly [K, V]>,
): (readonly [K, V])[] {
  const number = (key: K) => typeof key === "number" ? key : Number(/\d+$/.exec(key)?.[0]);
  return [...entries].map((entry) => ({ entry, at: number(entry[0]) }))
    .sort((a, b) => a.at - b.at).map(({ entry }) => entry);
}
