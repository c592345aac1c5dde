/**
 * Faults of a room: the tools room throws, loops, exits, closes or eats all memory in the middle of a change. The caller's
 * answer is true, the room or the process that comes next finishes the change or takes it back, and others are served.
 */
import assert from "node:assert/strict";
import { putBack, readFiles } from "../support/evidence/crash.ts";
import { countPoints, endRoomAt, ROOM_ENDS } from "../support/evidence/faults/lost_room.ts";
import { FULL, randomFrom, record, sample, seedFor } from "../support/evidence/record.ts";
import { type Change, CHANGES, openEvidenceSite } from "../support/evidence/site.ts";
import { differences, lookAt } from "../support/evidence/view.ts";

const LANES = 3;
/** Tools, where not all are wanted. */
const SAMPLE = 3;
/** Points of a tool at which the room ends in each way. */
const POINTS = FULL ? 6 : 1;

interface Finding {
  readonly name: string;
  readonly what: string;
}

type RoomEnd = typeof ROOM_ENDS[number];

/** Each end at some of the call's points. */
async function endAll(
  call: Change,
  ends: readonly RoomEnd[],
  random: () => number,
): Promise<Finding[]> {
  const { tool } = call;
  await using haproxy = await openEvidenceSite();
  const files = await readFiles(haproxy);
  const before = await lookAt(haproxy);
  const points = await countPoints(haproxy, call);
  const expected = { before, after: await lookAt(haproxy) };
  const all = Array.from({ length: points }, (_, i) => i + 1);
  const findings: Finding[] = [];
  for (const end of ends) {
    for (const at of sample(all, POINTS, random)) {
      await putBack(haproxy, files);
      const result = await endRoomAt(haproxy, call, { end, at }, expected);
      const { verdict, point, told, othersServed, left, log } = result;
      const counts = {
        tried: point === undefined ? 0 : 1,
        lost: Number(verdict === "lost"),
        half: Number(verdict === "half"),
        failed: Number(!othersServed),
      };
      record("Faults of a room", end, counts);
      if (counts.lost + counts.half + counts.failed === 0) continue;
      const not = (what: "before" | "after") =>
        differences(left, expected[what]).map((name) => `not ${what}: ${name} is ${left[name]}`);
      findings.push({
        name: `${tool}, the room ${end} at ${point}`,
        what: [
          `${verdict}; others served: ${othersServed}; told ${JSON.stringify(told)}`,
          ...not("before"),
          ...not("after"),
          log,
        ].join("\n"),
      });
    }
  }
  return findings;
}

Deno.test("a tools room that ends in the middle of a change leaves it whole or not at all, and others are served", async (t) => {
  const random = randomFrom(seedFor("faults of a room"));
  const queue = FULL
    ? CHANGES.map((call) => ({ call, ends: ROOM_ENDS }))
    : Array.from({ length: SAMPLE }, (_, i) => ({
      call: CHANGES[Math.floor((i + random()) * CHANGES.length / SAMPLE)],
      ends: ROOM_ENDS,
    }));
  const seeded = queue.map((each) => ({ ...each, random: randomFrom(random() * 2 ** 32) }));
  const findings: Finding[] = [];
  await Promise.all(Array.from({ length: LANES }, async () => {
    for (let next = seeded.shift(); next; next = seeded.shift()) {
      findings.push(...await endAll(next.call, next.ends, next.random));
    }
  }));
  for (const { name, what } of findings) await t.step(name, () => assert.fail(what));
});
