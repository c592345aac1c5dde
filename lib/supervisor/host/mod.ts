/**
 * The acts outside the sandbox that the tools room may ask for: these tables are all there is. An act
 * takes no argument, or checks it again, since it comes from the room that meets callers' words; it has
 * the call's signal, which aborts when the caller cancels or the room is lost.
 */
import type { HostSettings, ReloadWay } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import type { CallContext, Handlers } from "../../rpc/mod.ts";
import type { HostActs } from "../../../tools/host_acts.ts";
import { unlessAborted } from "../../pause.ts";
import { checkConfig, chooseChecker, findBinary } from "./check.ts";
import { fatalFlaw, lookAtFile, readWithoutSecrets } from "./config_file.ts";
import { masterWay } from "./master.ts";
import { requestsOfOldWorkers } from "./old_workers.ts";
import { openPodman } from "./podman.ts";
import { findProgram } from "./program.ts";
import { systemdWay } from "./systemd.ts";
import type { Way } from "./way.ts";
import { allowedWays, firstWorking, tryWays } from "./ways.ts";

/** For each probe of hostStatus, which haproxy_health waits for, and for those before a reload or a check. */
const STATUS_MS = 3_000;
const PROBE_MS = 10_000;
/** HAProxy may be starting, or carrying out another reload, while somebody asks for one. */
const PATIENCE_MS = 3_000;
/** A reload that is going on makes no master that is missing. */
const STATUS_PATIENCE_MS = 300;

/** What the programs are found by, and what podman needs to know of this user. */
export type HostEnvironment = Readonly<
  Partial<Record<"PATH" | "HOME" | "XDG_RUNTIME_DIR", string>>
>;

type ProgramActNames =
  | "checkConfig"
  | "reload"
  | "requestsOfOldWorkers"
  | "readConfig"
  | "hostStatus";
export type ProgramActs = {
  readonly [Name in ProgramActNames]: (
    args: Parameters<HostActs[Name]>[0],
    context: Pick<CallContext, "signal">,
  ) => ReturnType<HostActs[Name]>;
};

/**
 * The acts that run programs or speak to HAProxy's master CLI.
 *
 * @param environment read once: where the programs lie is settled here
 * @param statusMs for each probe of hostStatus
 */
export function programActs(
  host: HostSettings,
  environment: HostEnvironment = ownEnvironment(),
  statusMs = STATUS_MS,
): ProgramActs & Handlers {
  const { PATH = "", ...env } = environment;
  const programs = {
    haproxy: findBinary(host, PATH),
    podman: findProgram("podman", PATH),
    systemctl: findProgram("systemctl", PATH),
  };

  let lastReload: Promise<void> = Promise.resolve();

  /** What one call sees of this machine. */
  function open(signal: AbortSignal, lookMs: number) {
    const { podman: program, systemctl } = programs;
    const podman = openPodman({ program, name: host.container, env, signal, lookMs });
    const ways: Record<ReloadWay, Way> = {
      master: masterWay(host),
      podman: podman.way,
      systemd: systemdWay(systemctl),
    };
    return { podman, ways: allowedWays(host, ways) };
  }

  return {
    async checkConfig(_, { signal }) {
      const { podman } = open(signal, PROBE_MS);
      const checker = await chooseChecker(host, programs.haproxy, podman);
      return await checkConfig(host, checker, podman, signal);
    },

    async reload(_, { signal }) {
      // One after the other: a reload cuts off whoever waits for the answer to an earlier one.
      const before = lastReload;
      const { promise, resolve } = Promise.withResolvers<void>();
      lastReload = promise;
      try {
        await unlessAborted(before, signal);
        const { ways } = open(signal, PROBE_MS);
        const look = { signal, deadlineMs: PROBE_MS, patienceMs: PATIENCE_MS };
        const way = await firstWorking(ways, look, host);
        // systemd's unit checks its file by itself, and a container has a view of its own.
        const flaw = way.way === "master" ? await fatalFlaw(host.configFile) : undefined;
        if (flaw !== undefined) throw unusableFile(host.configFile, flaw);
        return await way.reload(signal);
      } finally {
        void before.then(resolve);
      }
    },

    requestsOfOldWorkers: (question, { signal }) => requestsOfOldWorkers(host, question, signal),

    readConfig: () => readWithoutSecrets(host.configFile),

    async hostStatus(_, { signal }) {
      const { podman, ways } = open(signal, statusMs);
      const [configFile, container, tried, checker] = await Promise.all([
        lookAtFile(host.configFile),
        podman.container(),
        tryWays(ways, { signal, deadlineMs: statusMs, patienceMs: STATUS_PATIENCE_MS }),
        chooseChecker(host, programs.haproxy, podman),
      ]);
      return {
        config_file: configFile,
        container: { name: host.container, status: container.status },
        reload: {
          way: tried.find(({ problem }) => problem === undefined)?.way ?? null,
          tried,
          check: checker.by,
        },
      };
    },
  };
}

function unusableFile(file: string, flaw: string): AgentError {
  return new AgentError("CONFIG_INVALID", `${file} can't be used: ${flaw}.`, {
    hint:
      "Nothing was reloaded. Put the file right, or let HAPROXY_CONFIG_FILE name HAProxy's own.",
    details: { errors: [{ file, line: null, message: flaw }] },
  });
}

export interface KeeperOptions {
  /** The number of the tools room that runs now, counted from 1. */
  readonly currentRoom: () => number;
  /** Ends the process with exit 70, so that it is started again. */
  readonly endProcess: (why: string) => void;
}

/** The acts of a process that keeps a tools room running, and starts another when that one is lost. */
export function keeperActs(
  { currentRoom, endProcess }: KeeperOptions,
): Pick<HostActs, "predecessorHoldsLock"> & Handlers {
  return {
    predecessorHoldsLock({ room }) {
      if (room !== currentRoom() || room < 2) {
        throw new AgentError("VALIDATION", `Room ${room} has no predecessor.`);
      }
      endProcess(`tools room ${room} waits for the lock of one that was terminated`);
      return Promise.resolve();
    },
  };
}

export function ownEnvironment(): HostEnvironment {
  const names = ["PATH", "HOME", "XDG_RUNTIME_DIR"] as const;
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value ? [[name, value]] : [];
  }));
}
