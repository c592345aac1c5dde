import assert from "node:assert/strict";
import {
  type Beat,
  isLost,
  MISSES,
  MISSES_AT_START,
  MISSES_WHEN_IDLE,
  nextBeat,
  PING_EVERY_MS,
} from "../../lib/supervisor/heartbeat.ts";

const fresh: Beat = { missed: 0, spinning: 0, alive: false };
const alive = nextBeat(fresh, true, 1, 0);
/** One that spins uses a whole core. */
const miss = (beat: Beat, usedMs = 1_000) => nextBeat(beat, false, PING_EVERY_MS, usedMs);
const times = (n: number, beat: Beat, usedMs?: number): Beat =>
  n === 0 ? beat : times(n - 1, miss(beat, usedMs), usedMs);

Deno.test("nextBeat: a room that spins is lost after two misses in a row", () => {
  assert.equal(isLost(times(MISSES - 1, alive)), false);
  assert.equal(isLost(times(MISSES, alive)), true);
});

Deno.test("nextBeat: an answer between two misses counts as new", () => {
  assert.equal(isLost(miss(nextBeat(miss(alive), true, 5, 0))), false);
});

Deno.test("nextBeat: a room that still loads has more time", () => {
  assert.equal(isLost(times(MISSES_AT_START - 1, fresh)), false);
  assert.equal(isLost(times(MISSES_AT_START, fresh)), true);
});

Deno.test("nextBeat: a ping that took far too long tells that this process stood still", () => {
  const woken = nextBeat(miss(alive), false, 5_000, 5_000);
  assert.equal(isLost(miss(woken)), false);
  assert.equal(isLost(times(MISSES, woken)), true);
});

Deno.test("nextBeat: a room that uses no CPU may wait for a machine or a disk that is busy", () => {
  assert.equal(isLost(times(MISSES_WHEN_IDLE - 1, alive, 100)), false);
  assert.equal(isLost(times(MISSES_WHEN_IDLE, alive, 100)), true);
  assert.equal(isLost(miss(miss(miss(alive), 100))), false);
});
