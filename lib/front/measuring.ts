/** Probes and scrapes share one look: whoever may ask without a token can't keep HAProxy busy by it. */
import { log } from "../log.ts";
import type { Measured } from "../measured.ts";

/** A figure is used for so long, */
const FRESH_MS = 1_000;
/** and for so many times as long as it took to look: of a hundred thousand domains that is not little. */
const FRESH_TIMES = 10;
/** But for so long at most. */
const MOST_FRESH_MS = 10_000;

/**
 * What shows that something is wrong is looked at again after a second, however long it took to see: the wait was for
 * HAProxy, and cost it nothing.
 *
 * @returns what was measured a moment ago or now; undefined where the tools room could not say
 */
export function measuring(look: () => Promise<Measured>): () => Promise<Measured | undefined> {
  let current: Promise<Measured | undefined> | undefined;
  return () => {
    if (current === undefined) {
      const start = performance.now();
      const looking = look().catch((cause) => {
        log.debug(`Nothing could be measured: ${cause.message}`);
        return undefined;
      });
      current = looking;
      void looking.then((measured) => {
        const took = measured?.haproxy.up ? performance.now() - start : 0;
        const fresh = Math.min(MOST_FRESH_MS, Math.max(FRESH_MS, took * FRESH_TIMES));
        setTimeout(() => current = undefined, fresh);
      });
    }
    return current;
  };
}
