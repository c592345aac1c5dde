/** A room: a worker with permissions of its own, watched until it is lost or ended. */
import type { AgentError } from "../errors.ts";
import { connect, type Handlers, type Peer } from "../rpc/mod.ts";
import type { Grants } from "./grants.ts";
import { watchHeartbeat } from "./heartbeat.ts";

/** Where the rooms' code lies. Tests open rooms of their own. */
export interface RoomEntries {
  readonly front: URL;
  readonly tools: URL;
  readonly acme: URL;
  /** What the tools room offers, where that was written down when it was compiled. */
  readonly catalogue?: URL;
}

/** A bundle has flat .js rooms beside main.js, a checkout has .ts ones. */
const bundled = import.meta.url.endsWith(".js");
export const productRooms: RoomEntries = {
  front: new URL(bundled ? "./front_worker.js" : "../front/worker.ts", import.meta.url),
  tools: new URL(bundled ? "./tools_worker.js" : "../../tools/worker.ts", import.meta.url),
  acme: new URL(
    bundled ? "./acme_worker.js" : "../certificates/acme/worker.ts",
    import.meta.url,
  ),
  ...bundled && { catalogue: new URL("./catalogue.json", import.meta.url) },
};

export interface Loss {
  readonly why: string;
  /**
   * It answers no ping: it spins, or it called Deno.exit; from outside the two look alike. One that
   * spins goes on after its termination, for seconds or (Deno 2.9) as long as the process lives.
   */
  readonly silent: boolean;
}

export interface Room<Remote extends Handlers> {
  readonly peer: Peer<Remote>;
  /** Terminates the worker. Calls still open are rejected with `why`, late messages are ignored. */
  end(why: AgentError): void;
}

export interface RoomOptions {
  readonly name: string;
  readonly entry: URL;
  readonly grants: Grants;
  /** What the room may call of main. */
  readonly handlers: Handlers;
  /** Called at most once; the room still has to be ended. */
  readonly onLost: (loss: Loss) => void;
}

export function openRoom<Remote extends Handlers>(options: RoomOptions): Room<Remote> {
  const { name, entry, grants, handlers } = options;
  const denied = { read: false, write: false, net: false, run: false, env: false, sys: false };
  const permissions = { ...denied, ffi: false, import: false, ...grants };
  const worker = new Worker(
    entry,
    { type: "module", name, deno: { permissions } } as WorkerOptions,
  );
  const peer = connect<Remote>(worker, handlers);

  let over = false;
  function lost(loss: Loss) {
    if (over) return;
    over = true;
    stopWatching();
    options.onLost(loss);
  }
  const stopWatching = watchHeartbeat(
    peer.ping,
    () => lost({ why: "it answers no ping", silent: true }),
  );
  worker.onerror = (event) => {
    event.preventDefault();
    lost({ why: event.message, silent: false });
  };
  return {
    peer,
    end(why) {
      over = true;
      stopWatching();
      peer.close(why);
      worker.terminate();
    },
  };
}
