/** The agent: front and tools room, from their start until a signal, the end of stdin, or a loss. */
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import type { FrontActs, FrontRoom } from "../front/room.ts";
import { log, openLog } from "../log.ts";
import type { Peer } from "../rpc/mod.ts";
import type { Catalogue } from "../../tools/room.ts";
import { EXIT, type ExitCode } from "./exit_code.ts";
import type { Grants } from "./grants.ts";
import { openRoom, type RoomEntries } from "./room.ts";
import { keepTools, type ToolsKeeper } from "./tools_keeper.ts";

/** How long calls in flight may go on after the first signal. */
const STOP_GRACE_MS = 5_000;
const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** How callers reach the front room. */
export interface Transport {
  readonly grants: Grants;
  /** Lives long enough to renew certificates when they are due. */
  readonly renews: boolean;
  /** Lets callers in, once the tools room can answer them. Returns what ends with the agent. */
  open(front: Peer<FrontRoom>, catalogue: Catalogue): Promise<() => void>;
}

/**
 * Runs until the agent ends; resolves to the process's exit code. Throws what kept it from starting:
 * SettingsError, or the AgentError of the tools room.
 *
 * @param settings with a real root (prepareRoot)
 */
export async function runAgent(
  settings: Settings,
  transport: Transport,
  entries: RoomEntries,
): Promise<ExitCode> {
  openLog("main", settings.logging);
  const end = Promise.withResolvers<ExitCode>();
  let tools: ToolsKeeper | undefined;
  let closeTransport = () => {};
  let stopping = false;

  function endProcess(why: string): void {
    log.error(`The process ends, to be started again: ${why}.`);
    end.resolve(EXIT.internal);
  }

  const acts: FrontActs = {
    stdinEnded: () => void stop("stdin ended"),
    toolsDeaf({ tool }) {
      log.warning(`${tool} did not answer when it was cancelled.`);
      tools?.toolDeaf();
    },
  };
  const front = openRoom<FrontRoom>({
    name: "front",
    entry: entries.front,
    grants: transport.grants,
    handlers: acts,
    // Its listening socket and its MCP sessions are lost with it.
    onLost: ({ why }) => endProcess(`the front room is lost: ${why}`),
  });

  async function start(): Promise<void> {
    tools = await keepTools({
      settings,
      entries,
      renew: transport.renews && settings.acme.autoRenew,
      endProcess,
      attach: (port) =>
        void front.peer.call("attach", { port }, { transfer: [port] }).catch(end.reject),
    });
    closeTransport = await transport.open(front.peer, tools.catalogue);
  }

  /** No new calls, the ones in flight end, then the rooms. Told twice, it ends at once. */
  async function stop(why: string): Promise<void> {
    if (stopping) return end.resolve(EXIT.done);
    stopping = true;
    log.info(`Stopping: ${why}.`);
    await front.peer.call("stop", { graceMs: STOP_GRACE_MS }, { deadlineMs: STOP_GRACE_MS + 500 })
      .catch((cause) =>
        log.warning(`The front room did not stop: ${AgentError.from(cause).message}`)
      );
    await tools?.stop().catch((cause) =>
      log.warning(`The tools room did not stop: ${AgentError.from(cause).message}`)
    );
    end.resolve(EXIT.done);
  }

  const onSignal = () => void stop("a signal came");
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  start().catch(end.reject);
  try {
    return await end.promise;
  } finally {
    closeTransport();
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
  }
}
