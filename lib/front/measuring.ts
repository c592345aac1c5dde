/** Probes and scrapes share one look: whoever may ask without a token can't keep HAProxy busy by it. */
import { log } from "../log.ts";
import type { Measured } from "../measured.ts";

/** A figure is at most this old. */
const FRESH_MS = 1_000;

/** @returns what was measured a moment ago or now; undefined where the tools room could not say */
export function measuring(look: () => Promise<Measured>): () => Promise<Measured | undefined> {
  let current: Promise<Measured | undefined> | undefined;
  return () => {
    if (current === undefined) {
      const looking = look().catch((cause) => {
        log.debug(`Nothing could be measured: ${cause.message}`);
        return undefined;
      });
      current = looking;
      const forget = () => setTimeout(() => current = undefined, FRESH_MS);
      void looking.then(forget);
    }
    return current;
  };
}
