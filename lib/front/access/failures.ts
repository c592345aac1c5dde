/**
 * Wrong tokens cost their sender time: each one more, and beyond a number they are answered 429. Only requests that fail
 * are held up: behind HAProxy all clients share one address, so a right token passes whatever others do.
 */
import { pause } from "../../pause.ts";
import { parseAddress } from "../../names/networks.ts";
import { forget } from "./rate.ts";

export interface Failures {
  /** To be awaited before the refusal. Seconds after which to try again; undefined: a refusal will do. */
  note(address: string): Promise<number | undefined>;
}

/** One failure is forgotten in so many milliseconds. */
const FORGET_ONE_MS = 6_000;
/** So many cost nothing: a person mistypes. */
const FREE = 3;
/** Beyond it the answer is 429. */
const TOO_MANY = 10;
/** The level that more failures don't raise: after a minute one more is answered again. */
const MOST = TOO_MANY - 1 + 60_000 / FORGET_ONE_MS;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 4_000;
/** Delayed at once. Beyond it there is no delay and 429. */
const MAX_WAITING = 200;
const MAX_ADDRESSES = 10_000;

/** @param now milliseconds */
export function createFailures(
  now: () => number = () => performance.now(),
  wait: (ms: number) => Promise<void> = pause,
): Failures {
  const levels = new Map<string, { level: number; at: number }>();
  let waiting = 0;
  const leaked = ({ level, at }: { level: number; at: number }) =>
    Math.max(0, level - (now() - at) / FORGET_ONE_MS);

  return {
    async note(address) {
      const key = networkOf(address);
      const known = levels.get(key);
      const level = Math.min(MOST, (known ? leaked(known) : 0) + 1);
      levels.delete(key);
      if (levels.size >= MAX_ADDRESSES) forget(levels, (each) => leaked(each) === 0);
      levels.set(key, { level, at: now() });
      if (level > TOO_MANY) return Math.ceil((level + 1 - TOO_MANY) * FORGET_ONE_MS / 1000);
      if (level <= FREE) return undefined;
      if (waiting >= MAX_WAITING) return 1;
      waiting++;
      await wait(Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (Math.ceil(level) - FREE - 1)));
      waiting--;
    },
  };
}

/** Of IPv6 whoever has one address has a /64. */
function networkOf(text: string): string {
  const address = parseAddress(text);
  if (!address) return text;
  const { bits, value } = address;
  return `${bits} ${bits === 128 ? value >> 64n : value}`;
}
