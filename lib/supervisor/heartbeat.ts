/** Finds a room whose event loop stands still: a spinning tool can't be seen in any other way. */
import { cpuUsage } from "node:process";

export const PING_EVERY_MS = 1_000;
/** A room that answered once and now spins is lost after so many misses in a row. */
export const MISSES = 2;
/** One that may be waiting for a busy machine or a slow disk has more time. */
export const MISSES_WHEN_IDLE = 6;
/** Of a core, by the whole process: with less, no room spins on a core of its own. */
const SPINS = 0.5;
/** A room may load that long before its first answer. */
export const MISSES_AT_START = 30;

export interface Beat {
  readonly missed: number;
  /** Of these, those while something in the process spun. */
  readonly spinning: number;
  /** The room has answered at least once. */
  readonly alive: boolean;
}

/**
 * The next count of misses.
 *
 * @param waitedMs how long the ping took by the clock. Far beyond its limit it was this process that
 * stood still (SIGSTOP, a suspended machine, no CPU), which says nothing about the room.
 * @param usedMs the CPU that the whole process used meanwhile
 */
export function nextBeat(beat: Beat, answered: boolean, waitedMs: number, usedMs: number): Beat {
  if (answered) return { missed: 0, spinning: 0, alive: true };
  if (waitedMs > PING_EVERY_MS * 1.5) return { ...beat, missed: 0, spinning: 0 };
  const spins = usedMs >= waitedMs * SPINS;
  return { ...beat, missed: beat.missed + 1, spinning: spins ? beat.spinning + 1 : 0 };
}

export function isLost({ missed, spinning, alive }: Beat): boolean {
  if (!alive) return missed >= MISSES_AT_START;
  return spinning >= MISSES || missed >= MISSES_WHEN_IDLE;
}

const usedMs = (): number => {
  const { user, system } = cpuUsage();
  return (user + system) / 1_000;
};

/**
 * Pings until the room is lost, then calls `onLost` once.
 *
 * @param ping resolves to false when no answer came in time
 * @returns ends the watch
 */
export function watchHeartbeat(
  ping: (timeoutMs: number) => Promise<boolean>,
  onLost: () => void,
): () => void {
  let beat: Beat = { missed: 0, spinning: 0, alive: false };
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  async function next() {
    const sentAt = performance.now();
    const usedBefore = usedMs();
    const answered = await ping(PING_EVERY_MS);
    if (ended) return;
    const waitedMs = performance.now() - sentAt;
    beat = nextBeat(beat, answered, waitedMs, usedMs() - usedBefore);
    if (isLost(beat)) return onLost();
    timer = setTimeout(next, Math.max(0, PING_EVERY_MS - waitedMs));
  }
  void next();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
