/** Waiting for what comes by itself. */
import { setTimeout as delay } from "node:timers/promises";

/** Asks every 20 ms until the answer is yes; throws when that takes longer than `ms`. */
export async function eventually(
  condition: () => Promise<boolean> | boolean,
  ms = 10_000,
): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; await delay(20)) {
    if (await condition()) return;
  }
  throw new Error(`it did not come about in ${ms} ms: ${condition}`);
}
