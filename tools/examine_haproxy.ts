/** What `doctor` asks HAProxy: each question stands alone, and none changes anything. */
import { AgentError } from "../lib/errors.ts";
import { look, type Looked } from "../lib/looked.ts";
import type { PoolShape } from "../lib/names/server.ts";
import { onlyProcess } from "../lib/reconcile/processes.ts";
import { chooseMap } from "../lib/reconcile/running.ts";
import { chooseCrtList } from "../lib/reconcile/running_certificates.ts";
import {
  showActivity,
  showCliLevel,
  showCrtLists,
  showInfo,
  showMaps,
  showServersState,
  showStartupLogs,
} from "../lib/runtime/commands.ts";
import type { RuntimeClient } from "../lib/runtime/connection.ts";
import type { Command } from "../lib/runtime/encode.ts";
import {
  type NamedServer,
  parseClock,
  parseInfo,
  parseMaps,
  parseMapUsers,
  parseServerNames,
} from "../lib/runtime/parse.ts";
import { parseCrtLists } from "../lib/runtime/parse_ssl.ts";
import type { HaproxyProcess } from "../lib/runtime/process.ts";
import { texts } from "../lib/runtime/replies.ts";
import type { CertificateTurn } from "../lib/transaction/certificates/request.ts";

/** Names that are shown; there may be a hundred thousand. */
const MAX_NAMED = 5;

/** Slots of the pools that the settings promise. */
export interface SlotsSeen {
  /** In haproxy.cfg. */
  readonly present: number;
  /** That it lacks, the first ones by name. */
  readonly lacking: { readonly count: number; readonly first: readonly string[] };
  /** By the host name that haproxy.cfg gives them; "" where it gives an address. */
  readonly hostNames: readonly {
    readonly name: string;
    readonly slots: number;
    readonly first: string;
  }[];
}

export interface HaproxySeen {
  /** The one that serves. CONFLICT: two share the port. HAPROXY_UNREACHABLE: all else is not known then either. */
  readonly process: Looked<HaproxyProcess>;
  /** Of a connection to the Runtime API: user, operator or admin. */
  readonly level: Looked<string>;
  readonly limits: Looked<{ readonly connections: number; readonly openFiles: number }>;
  /** HAProxy's clock minus ours, in milliseconds. */
  readonly clockAhead: Looked<number>;
  /** What HAProxy said at its start. */
  readonly startupLogs: Looked<string>;
  /** The domain map's spelling. */
  readonly map: Looked<string>;
  /** The files that HAProxy was started with, as far as maps tell. */
  readonly configFiles: Looked<readonly string[]>;
  readonly crtList: Looked<string>;
  readonly slots: Looked<SlotsSeen>;
}

export interface HaproxyParts {
  readonly runtime: RuntimeClient;
  /** Their paths on this machine. */
  readonly mapFile: string;
  readonly crtListFile: string;
  readonly mapName?: string;
  readonly shape: PoolShape;
  readonly turn: CertificateTurn;
}

export async function examineHaproxy(parts: HaproxyParts): Promise<HaproxySeen> {
  const { runtime, shape, turn } = parts;
  const process = await look(() => theProcess(runtime));
  /** Where nobody answers, nobody is asked again: each question would take its whole deadline. */
  const ask = async <T>(command: Command, read: (text: string) => T): Promise<Looked<T>> =>
    "error" in process
      ? process
      : await look(() =>
        runtime.converse(async (talk) => read(texts([command], await talk.exchange([command]))[0]))
      );
  const [level, limits, clockAhead, startupLogs, map, configFiles, slots] = await Promise.all([
    ask(showCliLevel(), (text) => text.trim()),
    ask(showInfo(), (text) => limitsOf(parseInfo(text))),
    ask(showActivity(), (text) => Math.round(clockOf(text) - Date.now())),
    ask(showStartupLogs(), (text) => text),
    ask(showMaps(), (text) => chooseMap(parseMaps(text), parts.mapFile, parts.mapName)),
    ask(showMaps(), parseMapUsers),
    ask(showServersState(), (text) => slotsOf(parseServerNames(text), shape)),
  ]);
  const { crtListFile } = parts;
  // Not beside other questions: who waits for the turn must hold none of the few connections.
  const crtList = await look(() =>
    turn(async () => {
      const found = await ask(
        showCrtLists(),
        (text) => chooseCrtList(parseCrtLists(text), crtListFile),
      );
      if ("value" in found) return found.value;
      throw AgentError.fromData(found.error);
    })
  );
  return {
    process,
    level,
    limits,
    clockAhead,
    startupLogs,
    map,
    configFiles,
    crtList,
    slots,
  };
}

async function theProcess(runtime: RuntimeClient): Promise<HaproxyProcess> {
  const process = await onlyProcess(runtime);
  if (process) return process;
  throw new AgentError("HAPROXY_UNREACHABLE", "The HAProxy that answers is about to leave.", {
    hint: "It was reloaded or told to stop: look again in a moment.",
  });
}

function limitsOf(info: Readonly<Record<string, string>>) {
  const { Maxconn, "Ulimit-n": files } = info;
  return { connections: Number(Maxconn), openFiles: Number(files) };
}

function clockOf(text: string): number {
  const clock = parseClock(text);
  if (clock !== undefined) return clock;
  throw new AgentError("UNSUPPORTED", "HAProxy does not show its clock (show activity).");
}

export function slotsOf(servers: readonly NamedServer[], shape: PoolShape): SlotsSeen {
  const known = new Map(
    servers.map(({ backend, server, hostName = "" }) => [`${backend}/${server}`, hostName]),
  );
  const present: (readonly [server: string, hostName: string])[] = [];
  const lacking: string[] = [];
  for (let pool = 1; pool <= shape.poolCount; pool++) {
    for (let slot = 1; slot <= shape.maxSlots; slot++) {
      const server = `pool_${pool}_${slot}`;
      const hostName = known.get(`pool_${pool}/${server}`);
      if (hostName === undefined) lacking.push(server);
      else present.push([server, hostName]);
    }
  }
  const byName = Map.groupBy(present, ([, hostName]) => hostName);
  return {
    present: present.length,
    lacking: { count: lacking.length, first: lacking.slice(0, MAX_NAMED) },
    hostNames: Array.from(byName, ([name, some]) => ({
      name,
      slots: some.length,
      first: some[0][0],
    })),
  };
}
