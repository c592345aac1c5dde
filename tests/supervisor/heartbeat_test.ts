import assert from "node:assert/strict";
import {
  type Beat,
  isLost,
  MISSES,
  MISSES_AT_START,
  nextBeat,
  PING_EVERY_MS,
} from "../../lib/supervisor/heartbeat.ts";

const fresh: Beat = { missed: 0, alive: false };
const alive = nextBeat(fresh, true, 1);
const miss = (beat: Beat) => nextBeat(beat, false, PING_EVERY_MS);
const times = (n: number, beat: Beat): Beat => n === 0 ? beat : times(n - 1, miss(beat));

Deno.test("nextBeat: a room is lost after two misses in a row", () => {
  assert.equal(isLost(times(MISSES - 1, alive)), false);
  assert.equal(isLost(times(MISSES, alive)), true);
});

Deno.test("nextBeat: an answer between two misses counts as new", () => {
  assert.equal(isLost(miss(nextBeat(miss(alive), true, 5))), false);
});

Deno.test("nextBeat: a room that still loads has more time", () => {
  assert.equal(isLost(times(MISSES_AT_START - 1, fresh)), false);
  assert.equal(isLost(times(MISSES_AT_START, fresh)), true);
});

Deno.test("nextBeat: a ping that took far too long tells that this process stood still", () => {
  const woken = nextBeat(miss(alive), false, 5_000);
  assert.equal(isLost(miss(woken)), false);
  assert.equal(isLost(times(MISSES, woken)), true);
});
