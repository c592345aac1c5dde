/** Keeps one tools room running: starts it, hands its port over, and does both again when it is lost. */
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import type { Catalogue, ToolsRoom } from "../../tools/room.ts";
import { catalogueOf } from "./catalogue.ts";
import { toolsGrants } from "./grants.ts";
import { certificateHost } from "./host/certificates.ts";
import { keeperActs, programActs } from "./host/mod.ts";
import { type Loss, openRoom, type Room, type RoomEntries } from "./room.ts";

/** Lock, replay of the journal, bringing HAProxy in line. */
const START_MS = 60_000;
/** Putting on disk what waits for a common write, and giving up orders: their TXT records are removed after it. */
const STOP_MS = 5_000;
/** A cancelled call has this long to end before its room is replaced: it may hold the lock. */
const DEAF_MS = 10_000;

/**
 * Whether terminate() ends a room that spins: measured on Deno 2.6, in 2 s. On 2.9 such a room burns
 * a core, and may write on, for as long as the process lives.
 */
const TERMINATE_ENDS_SPINNING = /^2\.6\./.test(Deno.version.deno);

export interface KeeperOptions {
  /** With a real root. */
  readonly settings: Settings;
  readonly entries: RoomEntries;
  /** Certificates that are due are renewed without being asked. */
  readonly renew: boolean;
  /** Takes the callers' end of a new port. Called before the room behind it is up: calls wait in the port. */
  readonly attach: (port: MessagePort) => void;
  /** Ends the process with exit 70, so that it is started again. */
  readonly endProcess: (why: string) => void;
}

export interface ToolsKeeper {
  readonly catalogue: Catalogue;
  /** A call was silent for a while after it was cancelled: its room is replaced if that stays so. */
  toolDeaf(): void;
  stop(): Promise<void>;
}

/** Throws STATE_CORRUPT or INTERNAL where the first room can't start; later ones end the process. */
export async function keepTools(options: KeeperOptions): Promise<ToolsKeeper> {
  const { settings, entries, renew, attach, endProcess } = options;
  const certificates = certificateHost(settings, entries);
  const acts = {
    ...programActs(settings.host),
    ...certificates.acts,
    ...keeperActs({ currentRoom: () => number, endProcess }),
  };
  let number = 0;
  let room: Room<ToolsRoom>;
  let started = false;

  function open(): Promise<void> {
    number += 1;
    room = openRoom<ToolsRoom>({
      name: "tools",
      entry: entries.tools,
      grants: toolsGrants(settings.files.root, settings.haproxy),
      handlers: acts,
      onLost: lost,
    });
    const { port1, port2 } = new MessageChannel();
    attach(port1);
    return room.peer.call("start", {
      settings: {
        files: settings.files,
        haproxy: settings.haproxy,
        confirm: settings.confirm,
        logging: settings.logging,
        configFile: settings.host.configFile,
        readOnly: settings.front.readOnly,
        room: number,
        pid: Deno.pid,
        uid: Deno.uid() ?? 0,
        heal: true,
        acme: { client: settings.acme.client, directory: settings.acme.directory },
        renew,
      },
      port: port2,
    }, { transfer: [port2], deadlineMs: START_MS });
  }

  function lost({ why, silent }: Loss): void {
    log.error(`The tools room is lost: ${why}.`);
    room.end(new AgentError("INTERNAL", `The tools room is lost: ${why}.`));
    if (!started) return;
    started = false;
    if (silent && !TERMINATE_ENDS_SPINNING) {
      return endProcess("a room that spins can't be ended on this Deno");
    }
    open().then(
      () => {
        started = true;
        log.warning(`Tools room ${number} took over.`);
      },
      (cause) =>
        endProcess(`the tools room did not start again: ${AgentError.from(cause).message}`),
    );
  }

  async function replaceDeaf(): Promise<void> {
    const suspect = room;
    const tools = await suspect.peer.call("deaf", { ms: DEAF_MS }).catch(() => []);
    if (room === suspect && started && tools.length > 0) {
      lost({
        why: `${tools.join(", ")} ignored its cancellation for ${DEAF_MS / 1000} s`,
        silent: false,
      });
    }
  }

  await open().catch((cause) => {
    const { code, message, hint } = AgentError.from(cause);
    if (code === "STATE_CORRUPT") throw cause;
    throw new AgentError("INTERNAL", `The tools room did not start: ${message}`, { hint, cause });
  });
  started = true;
  return {
    catalogue: await catalogueOf(entries, room!.peer),
    toolDeaf() {
      setTimeout(replaceDeaf, DEAF_MS);
    },
    async stop() {
      try {
        await room.peer.call("stop", undefined, { deadlineMs: STOP_MS });
      } finally {
        room.end(new AgentError("CANCELLED", "haproxy-mcp stops."));
        await certificates.settled();
      }
    },
  };
}
