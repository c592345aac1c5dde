/** The original's servers.json, keyed by domain: read more gently than our own, since what it can't tell must not be lost. */
import { AgentError } from "../errors.ts";
import type { PoolShape } from "../names/server.ts";
import { type Corrupt, object, parseJson } from "../state/json.ts";
import { sameServer, type Server } from "../state/model.ts";
import { parseServersFile, renderServersFile } from "../state/servers_file.ts";

export interface TakenServers {
  /** servers.json, keyed by pool; undefined: what is there can be read as it is. */
  readonly text?: string;
  /** The original's form: domains stand for their pools. One that has pools too is ours, with a slip in it. */
  readonly keyedByDomain: boolean;
  /** How many servers there are. */
  readonly count: number;
  /** What could not be taken, each a sentence. */
  readonly left: readonly string[];
}

/** Fields of a server that are ours; of the others the original's older versions had some. */
const FIELDS = ["ip", "http_port", "weight", "state"];

/**
 * Throws STATE_CORRUPT where it is no JSON object.
 *
 * @param backendOf the backend that a key of domains.map leads to
 */
export function takeServers(
  text: string,
  path: string,
  shape: PoolShape,
  backendOf: (key: string) => string | undefined,
): TakenServers {
  const corrupt: Corrupt = (place, what) =>
    new AgentError("STATE_CORRUPT", `${path}, ${place}: ${what}.`, {
      hint: "Correct the file by hand, or put back a good copy. Nothing was changed.",
    });
  const whole = object(parseJson(text, corrupt), "the whole", corrupt);
  const names = Object.keys(whole);
  const keyedByDomain = names.length > 0 && names.every((name) => !name.startsWith("pool_"));
  const poolOf = (name: string) =>
    name.startsWith("pool_")
      ? name
      : backendOf(name.toLowerCase()) ?? backendOf(`.${name.toLowerCase()}`);
  const pools = new Map<string, Map<number, Server>>();
  const left: string[] = [];

  /** One server as a file of its own, so that each fault is told and costs this server alone. */
  function take(pool: string, name: string, slot: string, value: unknown): void {
    const fields = Object.entries(object(value, `${name}.${slot}`, corrupt));
    const others = fields.filter(([field]) => !FIELDS.includes(field));
    if (others.length > 0) {
      left.push(`${name}.${slot}: ${others.map(([field]) => field).join(", ")} is not known here.`);
    }
    const known = Object.fromEntries(fields.filter(([field]) => FIELDS.includes(field)));
    const alone = JSON.stringify({ [pool]: { [slot]: known } });
    for (const [, servers] of parseServersFile(alone, path, shape, () => undefined)) {
      for (const [number, server] of servers) put(pool, name, number, server);
    }
  }

  function put(pool: string, name: string, slot: number, server: Server): void {
    const slots = pools.get(pool) ?? new Map<number, Server>();
    const before = slots.get(slot);
    pools.set(pool, slots);
    if (before === undefined) slots.set(slot, server);
    else if (!sameServer(before, server)) {
      left.push(
        `${name}.${slot}: ${server.ip}:${server.httpPort}, but ${pool}'s slot ${slot} has ` +
          `${before.ip}:${before.httpPort} from a domain that shares the pool.`,
      );
    }
  }

  for (const [name, slots] of Object.entries(whole)) {
    const pool = poolOf(name);
    if (pool === undefined) {
      left.push(`${name}: no line of domains.map leads this domain to a pool.`);
      continue;
    }
    for (const [slot, value] of Object.entries(object(slots, name, corrupt))) {
      try {
        take(pool, name, slot, value);
      } catch (cause) {
        left.push(`${AgentError.from(cause).message.replace(`${path}, `, "")} (${name})`);
      }
    }
  }
  return {
    ...(left.length > 0 && { text: renderServersFile(pools) }),
    keyedByDomain,
    count: [...pools.values()].reduce((sum, slots) => sum + slots.size, 0),
    left,
  };
}
