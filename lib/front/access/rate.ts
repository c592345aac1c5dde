/** How often a caller may ask: a bucket that fills evenly, one for each token or address. */
import type { RateLimit } from "../../config.ts";

export interface Limiter {
  /** Seconds after which to try again; undefined: go ahead. */
  take(key: string): number | undefined;
}

/** Full buckets say nothing and go when there are more than this. */
const MAX_BUCKETS = 10_000;

/** @param now milliseconds */
export function createLimiter(
  { perSecond, burst }: RateLimit,
  now: () => number = () => performance.now(),
): Limiter {
  const buckets = new Map<string, { left: number; at: number }>();
  const filled = ({ left, at }: { left: number; at: number }) =>
    Math.min(burst, left + (now() - at) * perSecond / 1000);
  return {
    take(key) {
      const bucket = buckets.get(key);
      const left = bucket ? filled(bucket) : burst;
      if (left < 1) return Math.max(1, Math.ceil((1 - left) / perSecond));
      // Last used, last in the map: what has to go is found at its beginning.
      buckets.delete(key);
      if (buckets.size >= MAX_BUCKETS) forget(buckets, (each) => filled(each) >= burst);
      buckets.set(key, { left: left - 1, at: now() });
    },
  };
}

/** Removes what is over, and if that is nothing the oldest. */
export function forget<T>(map: Map<string, T>, isOver: (each: T) => boolean): void {
  const size = map.size;
  for (const [key, each] of map) if (isOver(each)) map.delete(key);
  const oldest = map.keys().next();
  if (map.size === size && !oldest.done) map.delete(oldest.value);
}
