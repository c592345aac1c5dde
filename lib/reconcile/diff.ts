/** Desired against running: the commands that make HAProxy what disk says, and none where it is. */
import {
  addMap,
  delMap,
  setMap,
  setServerAddress,
  setServerHealthUp,
  setServerState,
  setServerWeight,
} from "../runtime/commands.ts";
import type { Command } from "../runtime/encode.ts";
import { isPlaceholder, PLACEHOLDER, type RunningServer } from "../runtime/parse.ts";
import type { Desired, Server } from "../state/model.ts";
import { serverName } from "../names/server.ts";
import type { Running, Scope } from "./running.ts";
import type { Kind } from "./subject.ts";

export interface Difference {
  /** What it is about: `example.com`, `pool_5_1`. */
  readonly subject: string;
  readonly kind: Exclude<Kind, "certificate">;
  /** What can be sent at once. */
  readonly now: readonly Command[];
  /** What brings requests to a server: only once every address has taken effect. */
  readonly then: readonly Command[];
  /** What takes a server out of service: only once those that come are there. */
  readonly last: readonly Command[];
  /** True when it changes an address, which takes effect a moment after HAProxy's reply. */
  readonly moves: boolean;
}

export interface Differences {
  readonly list: readonly Difference[];
  /** Slots that disk fills and HAProxy's configuration lacks. */
  readonly missing: readonly string[];
}

export function diff(desired: Desired, running: Running, scope: Scope, map: string): Differences {
  const list: Difference[] = [];
  const missing: string[] = [];

  const keys = scope === "all" ? new Set([...desired.keys(), ...running.map.keys()]) : scope.keys;
  for (const key of keys) {
    const wanted = desired.backendOf(key);
    const commands = keyCommands(map, key, wanted, running.map.get(key) ?? []);
    if (commands.length === 0) continue;
    const [now, then] = wanted === undefined ? [commands, []] : [[], commands];
    list.push({ subject: key, kind: "domain", now, then, last: [], moves: false });
  }

  const pools = scope === "all"
    ? new Set([...[...desired.pools()].map(([pool]) => pool), ...running.pools.keys()])
    : scope.pools;
  for (const pool of pools) {
    const wanted = desired.slotsOf(pool);
    const slots = running.pools.get(pool);
    for (const slot of wanted.keys()) if (!slots?.has(slot)) missing.push(serverName(pool, slot));
    for (const [slot, server] of slots ?? []) {
      const commands = slotCommands(server, wanted.get(slot));
      if (commands) list.push({ subject: server.server, kind: "server", ...commands });
    }
  }
  return { list, missing };
}

/**
 * All commands in the order in which they are carried out: no domain leads to a server that isn't in place yet, and no server
 * goes before one that comes is there, since a pool without any answers 503 for that moment.
 */
export function inOrder(list: readonly Difference[]): Command[] {
  const [domains, servers] = [
    list.filter(({ kind }) => kind === "domain"),
    list.filter(({ kind }) => kind === "server"),
  ];
  return [
    ...list.flatMap(({ now }) => now),
    ...servers.flatMap(({ then }) => then),
    ...servers.flatMap(({ last }) => last),
    ...domains.flatMap(({ then }) => then),
  ];
}

/** What to send in this round: with an address on the move, what relies on it waits for the next. */
export function nextRound(list: readonly Difference[]): Command[] {
  const isAwaited = list.some(({ moves, last }) => moves && last.length === 0);
  return isAwaited ? list.flatMap(({ now }) => now) : inOrder(list);
}

function keyCommands(
  map: string,
  key: string,
  wanted: string | undefined,
  values: readonly string[],
): Command[] {
  // Of several entries one call removes all (3.2) or one (3.4): the caller reads again and comes back.
  if (wanted === undefined) return values.length > 0 ? [delMap(map, key)] : [];
  if (values.length === 0) return [addMap(map, key, wanted)];
  return values.every((value) => value === wanted) ? [] : [setMap(map, key, wanted)];
}

function slotCommands(
  running: RunningServer,
  wanted: Server | undefined,
): Omit<Difference, "subject" | "kind"> | undefined {
  const { backend, server } = running;
  const state = setServerState(backend, server, wanted?.state ?? "maint");
  if (!wanted) {
    if (running.state === "maint" && isPlaceholder(running)) return undefined;
    const { ip, port, weight } = PLACEHOLDER;
    const reset = running.weight === weight ? [] : [setServerWeight(backend, server, weight)];
    const last = [state, setServerAddress(backend, server, ip, port), ...reset];
    return { now: [], then: [], last, moves: true };
  }
  const moves = running.ip !== wanted.ip || running.port !== wanted.httpPort;
  const stays = running.state === wanted.state;
  const comes = !stays && wanted.state === "ready";
  const goes = !comes && (!stays || (wanted.weight === 0 && running.weight > 0));
  const commands: Command[] = [];
  // A server that stays in service only gets its address: maint in between would refuse requests.
  if (!stays && !comes) commands.push(state);
  if (moves) commands.push(setServerAddress(backend, server, wanted.ip, wanted.httpPort));
  // The checks' verdict is about the old address.
  if (moves && stays && wanted.state === "ready" && !running.up) {
    commands.push(setServerHealthUp(backend, server));
  }
  if (running.weight !== wanted.weight) {
    commands.push(setServerWeight(backend, server, wanted.weight));
  }
  if (goes) return { now: [], then: [], last: commands, moves };
  if (commands.length === 0 && !comes) return undefined;
  return { now: commands, then: comes ? [state] : [], last: [], moves };
}
