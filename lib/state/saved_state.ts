/** The user's own copy of the servers (HAPROXY_STATE_FILE), in the form of `show servers state`: ours, or one made by hand. */
import { AgentError } from "../errors.ts";
import { isPort, parseServerIp } from "../names/address.ts";
import { isWeight, poolNumber, type PoolShape, slotOf } from "../names/server.ts";
import { isPlaceholder, parseServersState, type RunningServer } from "../runtime/parse.ts";
import type { Server, Slots } from "./model.ts";

/** The pools' filled slots. Servers of other backends are left out, and so are empty slots. */
export function filledSlots(
  servers: readonly RunningServer[],
  shape: PoolShape,
): Map<string, Slots> {
  const pools = new Map<string, Map<number, Server>>();
  for (const running of servers) {
    const { backend, server, ip, port, weight, state } = running;
    const slot = slotOf(backend, server, shape);
    if (slot === undefined || poolNumber(backend, shape) === undefined) continue;
    if (isPlaceholder(running)) continue;
    const slots = pools.get(backend) ?? new Map<number, Server>();
    pools.set(backend, slots.set(slot, { ip, httpPort: port, weight, state }));
  }
  return pools;
}

/** Throws STATE_CORRUPT for what is no such file, or holds a server that none of our slots can hold. */
export function parseSavedState(text: string, path: string, shape: PoolShape): Map<string, Slots> {
  const corrupt = (what: string) =>
    new AgentError("STATE_CORRUPT", `${path}: ${what}.`, {
      hint:
        "Give a file that haproxy_save_state or `show servers state` wrote. Nothing was changed.",
    });
  let servers: readonly RunningServer[];
  try {
    servers = parseServersState(text);
  } catch (cause) {
    throw corrupt(`it is no server state file (${(cause as Error).message})`);
  }
  for (const running of servers) {
    const { backend, server } = running;
    if (!backend?.startsWith("pool_") || isPlaceholder(running)) continue;
    const known = poolNumber(backend, shape) !== undefined &&
      slotOf(backend, server ?? "", shape) !== undefined;
    if (!known) {
      throw corrupt(
        `${backend}/${server} is in none of the ${shape.poolCount} pools of ${shape.maxSlots} slots`,
      );
    }
    checkServer(running, corrupt);
  }
  return filledSlots(servers, shape);
}

function checkServer(
  { server, ip, port, weight }: RunningServer,
  corrupt: (what: string) => AgentError,
): void {
  if (!isPort(port)) throw corrupt(`the port of ${server} is missing`);
  if (!isWeight(weight)) throw corrupt(`the weight of ${server} is missing`);
  try {
    parseServerIp(ip);
  } catch (cause) {
    throw corrupt(`${server}: ${AgentError.from(cause).message.replace(/\.$/, "")}`);
  }
}
