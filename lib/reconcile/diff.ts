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
import type { RunningServer } from "../runtime/parse.ts";
import type { Desired, Server } from "../state/model.ts";
import { serverName } from "../names/server.ts";
import type { Running, Scope } from "./running.ts";

export interface Difference {
  /** What it is about: `example.com`, `pool_5_1`. */
  readonly subject: string;
  readonly kind: "map" | "server";
  readonly commands: readonly Command[];
}

export interface Differences {
  readonly list: readonly Difference[];
  /** Slots that disk fills and HAProxy's configuration lacks. */
  readonly missing: readonly string[];
}

/** What `server-template … slot.invalid:1 disabled` with `init-addr last,127.0.0.1` leaves in an empty slot. */
const PLACEHOLDER = { ip: "127.0.0.1", port: 1, weight: 1 } as const;

export function diff(desired: Desired, running: Running, scope: Scope, map: string): Differences {
  const list: Difference[] = [];
  const missing: string[] = [];

  const keys = scope === "all" ? new Set([...desired.keys(), ...running.map.keys()]) : scope.keys;
  for (const key of keys) {
    const commands = keyCommands(map, key, desired.backendOf(key), running.map.get(key) ?? []);
    if (commands.length > 0) list.push({ subject: key, kind: "map", commands });
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
      if (commands.length > 0) list.push({ subject: server.server, kind: "server", commands });
    }
  }
  // Servers before the map for what comes, so that no domain leads to a pool that isn't ready: see `ordered`.
  return { list, missing };
}

/**
 * The commands in an order that never routes a domain to a pool that is not filled yet or not any more: keys that go
 * first, then servers, then keys that come or change.
 */
export function ordered(differences: Differences, desired: Desired): Command[] {
  const leaves = ({ kind, subject }: Difference) =>
    kind === "map" && desired.backendOf(subject) === undefined;
  const comes = ({ kind, subject }: Difference) =>
    kind === "map" && desired.backendOf(subject) !== undefined;
  const { list } = differences;
  return [
    ...list.filter(leaves),
    ...list.filter(({ kind }) => kind === "server"),
    ...list.filter(comes),
  ].flatMap(({ commands }) => commands);
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

function slotCommands(running: RunningServer, wanted: Server | undefined): Command[] {
  const { backend, server } = running;
  const state = setServerState(backend, server, wanted?.state ?? "maint");
  if (!wanted) {
    const idle = running.state === "maint" && isPlaceholder(running);
    return idle ? [] : [
      state,
      setServerAddress(backend, server, PLACEHOLDER.ip, PLACEHOLDER.port),
      ...(running.weight === PLACEHOLDER.weight
        ? []
        : [setServerWeight(backend, server, PLACEHOLDER.weight)]),
    ];
  }
  const moves = running.ip !== wanted.ip || running.port !== wanted.httpPort;
  const stays = running.state === wanted.state;
  const commands: Command[] = [];
  // Into service last, out of service first. A server that stays in service only gets its address: maint in between
  // would refuse requests.
  if (!stays && wanted.state !== "ready") commands.push(state);
  if (moves) commands.push(setServerAddress(backend, server, wanted.ip, wanted.httpPort));
  if (running.weight !== wanted.weight) {
    commands.push(setServerWeight(backend, server, wanted.weight));
  }
  if (!stays && wanted.state === "ready") commands.push(state);
  // The checks' verdict is about the old address.
  if (moves && stays && wanted.state === "ready" && !running.up) {
    commands.push(setServerHealthUp(backend, server));
  }
  return commands;
}

/** 0.0.0.0 is the placeholder of the original's configurations. */
function isPlaceholder({ ip, port, weight }: RunningServer): boolean {
  const empty = ip === "0.0.0.0" || (ip === PLACEHOLDER.ip && port === PLACEHOLDER.port);
  return empty && weight === PLACEHOLDER.weight;
}
