/** What HAProxy runs, of the keys and pools that matter. */
import { basename } from "node:path";
import { AgentError } from "../errors.ts";
import { poolNumber, type PoolShape, slotOf } from "../names/server.ts";
import { getMap, isMapWord, showMap, showMaps, showServersState } from "../runtime/commands.ts";
import type { Conversation } from "../runtime/connection.ts";
import type { Command } from "../runtime/encode.ts";
import {
  parseGetMap,
  parseMap,
  parseMaps,
  parseServersState,
  type RunningServer,
  type RuntimeMap,
} from "../runtime/parse.ts";
import { texts } from "../runtime/replies.ts";

/** The keys and pools to look at: those that a change touches, or all. */
export type Scope = "all" | {
  readonly keys: ReadonlySet<string>;
  readonly pools: ReadonlySet<string>;
};

export interface Running {
  /** The values of each key, in HAProxy's order; a key may stand there several times. */
  readonly map: ReadonlyMap<string, readonly string[]>;
  readonly pools: ReadonlyMap<string, ReadonlyMap<number, RunningServer>>;
}

/** The commands that read a scope, and how their replies become data. */
export interface ScopeReading {
  readonly commands: readonly Command[];
  parse(texts: readonly string[]): Running;
}

export function reading(scope: Scope, map: string, shape: PoolShape): ScopeReading {
  if (scope === "all") {
    return {
      commands: [showMap(map), showServersState()],
      parse: ([entries, servers]) => ({
        map: byKey(parseMap(entries)),
        pools: byPool(parseServersState(servers), shape),
      }),
    };
  }
  const keys = [...scope.keys], pools = [...scope.pools];
  return {
    commands: [
      ...keys.map((key) => getMap(map, key)),
      ...pools.map((pool) => showServersState(pool)),
    ],
    parse: (replies) => ({
      map: new Map(keys.flatMap((key, i): [string, string[]][] => {
        const value = parseGetMap(replies[i]);
        return value === undefined ? [] : [[key, [value]]];
      })),
      pools: byPool(replies.slice(keys.length).flatMap(parseServersState), shape),
    }),
  };
}

/** Entries that no tool of ours can have written, and no host name can match, are left alone. */
function byKey(entries: readonly (readonly [string, string])[]): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const [key, value] of entries) {
    if (isMapWord(key)) values.set(key, [...values.get(key) ?? [], value]);
  }
  return values;
}

/** The slots of our pools; other backends and slots beyond the shape are the user's. */
function byPool(servers: readonly RunningServer[], shape: PoolShape) {
  const pools = new Map<string, Map<number, RunningServer>>();
  for (const running of servers) {
    const { backend, server } = running;
    const slot = slotOf(backend, server, shape);
    if (slot === undefined || poolNumber(backend, shape) === undefined) continue;
    pools.set(backend, (pools.get(backend) ?? new Map<number, RunningServer>()).set(slot, running));
  }
  return pools;
}

/**
 * HAProxy's own spelling of the domain map's path. Inside a container it differs from the host's, so the file's name
 * decides; two spellings are two maps (facts of `show map`), and then the setting must.
 */
export function chooseMap(maps: readonly RuntimeMap[], mapFile: string, mapName?: string): string {
  const files = [...new Set(maps.map((map) => map.file))];
  const candidates = mapName === undefined
    ? files.filter((file) => basename(file) === basename(mapFile))
    : files.filter((file) => file === mapName);
  if (candidates.length === 1) return candidates[0];
  if (candidates.length === 0) {
    throw new AgentError(
      "HAPROXY_REJECTED",
      `HAProxy uses no map ${mapName ?? basename(mapFile)}; it has ${files.join(", ") || "none"}.`,
      {
        hint: "Let haproxy.cfg use the map, or name it in HAPROXY_MAP_NAME.",
        details: { maps: files },
      },
    );
  }
  throw new AgentError(
    "CONFLICT",
    `HAProxy has ${candidates.length} maps by this name, each with entries of its own: ${
      candidates.join(", ")
    }.`,
    {
      hint: "Spell the path alike everywhere in haproxy.cfg, or name one in HAPROXY_MAP_NAME.",
      details: { maps: candidates },
    },
  );
}

export interface MapFinder {
  readonly mapFile: string;
  readonly mapName?: string;
  readonly shape: PoolShape;
}

/** Reads a scope; `map` is the spelling that was found with it, `extra` the replies of further commands. */
export interface ScopeView {
  readonly map: string;
  readonly running: Running;
  readonly extra: readonly string[];
}

/** Reads a scope, and whatever else is asked, in one exchange where the map's spelling is known, else in two. */
export function scopeReader(finder: MapFinder) {
  let known: string | undefined;

  return async function read(
    conversation: Conversation,
    scope: Scope,
    extra: readonly Command[] = [],
  ): Promise<ScopeView> {
    const find = showMaps();
    if (known === undefined) {
      const [listed] = texts([find], await conversation.exchange([find]));
      known = chooseMap(parseMaps(listed), finder.mapFile, finder.mapName);
    }
    const guess = known;
    const { commands, parse } = reading(scope, guess, finder.shape);
    const all = [find, ...extra, ...commands];
    const replies = await conversation.exchange(all);
    const [listed] = texts(all.slice(0, 1), replies.slice(0, 1));
    // HAProxy may have been restarted with another configuration since.
    known = chooseMap(parseMaps(listed), finder.mapFile, finder.mapName);
    if (known !== guess) return await read(conversation, scope, extra);
    const answers = texts(all, replies);
    return {
      map: guess,
      extra: answers.slice(1, 1 + extra.length),
      running: parse(answers.slice(1 + extra.length)),
    };
  };
}
