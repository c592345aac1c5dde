/**
 * The acts outside the sandbox that the tools room may ask for: this table is all there is. Each act
 * checks its arguments again, since they come from the room that meets callers' words, and has the
 * call's signal, which aborts when the caller cancels or the room is lost.
 */
import { AgentError } from "../../errors.ts";
import type { Handlers } from "../../rpc/mod.ts";
import type { HostActs } from "../../../tools/host_acts.ts";

export interface HostOptions {
  /** The number of the tools room that runs now, counted from 1. */
  readonly currentRoom: () => number;
  /** Ends the process with exit 70, so that it is started again. */
  readonly endProcess: (why: string) => void;
}

export function hostActs({ currentRoom, endProcess }: HostOptions): HostActs & Handlers {
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
