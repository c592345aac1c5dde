/** Finds a room whose event loop stands still: a spinning tool can't be seen in any other way. */

export const PING_EVERY_MS = 1_000;
/** A room that answered once is lost after so many misses in a row. */
export const MISSES = 2;
/** A room may load that long before its first answer. */
export const MISSES_AT_START = 30;

export interface Beat {
  readonly missed: number;
  /** The room has answered at least once. */
  readonly alive: boolean;
}

/**
 * The next count of misses.
 *
 * @param waitedMs how long the ping took by the clock. Far beyond its limit it was this process that
 * stood still (SIGSTOP, a suspended machine, no CPU), which says nothing about the room.
 */
export function nextBeat(beat: Beat, answered: boolean, waitedMs: number): Beat {
  if (answered) return { missed: 0, alive: true };
  if (waitedMs > PING_EVERY_MS * 1.5) return { ...beat, missed: 0 };
  return { ...beat, missed: beat.missed + 1 };
}

export function isLost({ missed, alive }: Beat): boolean {
  return missed >= (alive ? MISSES : MISSES_AT_START);
}

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
  let beat: Beat = { missed: 0, alive: false };
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  async function next() {
    const sentAt = performance.now();
    const answered = await ping(PING_EVERY_MS);
    if (ended) return;
    const waitedMs = performance.now() - sentAt;
    beat = nextBeat(beat, answered, waitedMs);
    if (isLost(beat)) return onLost();
    timer = setTimeout(next, Math.max(0, PING_EVERY_MS - waitedMs));
  }
  void next();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}
