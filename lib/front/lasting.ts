/** Streams that last: a session's GET, subscriptions/listen, a status page's events. They end with the token that opened them, too. */
import type { Principal } from "./access/principal.ts";
import { follow } from "./follow.ts";

export interface Lasting {
  readonly size: number;
  /**
   * A stream of this principal; undefined: as many as may be are open.
   *
   * @param gone aborts when its reader has left
   */
  open(principal: Principal, gone: AbortSignal): LastingStream | undefined;
  /** Ends the streams of whoever is no longer let in. */
  revoke(isOut: (key: string) => boolean): void;
  /** Ends all. */
  close(): void;
}

export interface LastingStream {
  /** Aborts when the stream has to end. */
  readonly signal: AbortSignal;
  /** It has ended. May be called more than once. */
  close(): void;
}

const putOut = (controller: AbortController, why = "The token is no longer accepted.") =>
  controller.abort(new DOMException(why, "AbortError"));

/** setTimeout takes no more. */
const LONGEST_MS = 2 ** 31 - 1;

export function createLasting(max: number): Lasting {
  const streams = new Map<AbortController, string>();
  return {
    get size() {
      return streams.size;
    },
    open({ key, expiresAt }, gone) {
      if (streams.size >= max) return undefined;
      const { controller, release } = follow(gone);
      const timer = expiresAt === undefined
        ? undefined
        : setTimeout(() => putOut(controller), Math.min(LONGEST_MS, expiresAt - Date.now()));
      streams.set(controller, key);
      return {
        signal: controller.signal,
        close() {
          clearTimeout(timer);
          release();
          streams.delete(controller);
        },
      };
    },
    revoke(isOut) {
      for (const [controller, key] of streams) if (isOut(key)) putOut(controller);
    },
    close() {
      for (const controller of streams.keys()) putOut(controller, "The server stops.");
    },
  };
}
