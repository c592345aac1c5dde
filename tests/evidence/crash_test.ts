/**
 * Crash points: each writing tool, ended at each of its system calls. What is left after a new start is the whole change
 * or none of it, on disk, in HAProxy, and in a HAProxy that starts from that disk; nothing that was answered is missing.
 */
import assert from "node:assert/strict";
import {
  type BlowName,
  BLOWS,
  judge,
  meets,
  putBack,
  readFiles,
  startAgain,
} from "../support/evidence/crash.ts";
import { FULL, randomFrom, record, seedFor } from "../support/evidence/record.ts";
import { CHANGES, openEvidenceSite } from "../support/evidence/site.ts";
import { callUntil, pointsPassed } from "../support/evidence/stopped_call.ts";
import { differences, lookAt, lookAtHaproxy } from "../support/evidence/view.ts";

/** Points of a tool that a blow is struck at, where not all are wanted. */
const SAMPLE = 2;
const LANES = 2;

const names = Object.keys(BLOWS) as BlowName[];

interface Finding {
  readonly tool: string;
  readonly blow: BlowName;
  readonly point: string;
  readonly what: string;
}

/** All blows at a tool's points. */
async function strike(
  [tool, args]: typeof CHANGES[number],
  random: () => number,
): Promise<Finding[]> {
  await using haproxy = await openEvidenceSite();
  const files = await readFiles(haproxy);
  const before = await lookAt(haproxy);
  const findings: Finding[] = [];
  {
    await using call = await callUntil(haproxy, tool, args, { at: 0 });
    const told = await call.told;
    assert.ok(told.done, `${tool}: ${told.text}`);
  }
  const points = await pointsPassed(haproxy);
  const after = await lookAt(haproxy);
  let asBefore = false;

  for (const blow of names) {
    const suitable = points.flatMap((point, i) => meets(blow, point) ? [i + 1] : []);
    const chosen = FULL ? suitable : sample(suitable, SAMPLE, random);
    const counts = { lost: 0, half: 0 };
    let tried = 0;
    for (const at of chosen) {
      if (!asBefore) await putBack(haproxy, files);
      await using call = await callUntil(haproxy, tool, args, { at });
      if (call.point === undefined) continue;
      tried += 1;
      const told = await BLOWS[blow](call.point, call, haproxy);
      await startAgain(haproxy);
      const left = await lookAt(haproxy);
      const verdict = judge(left, { before, after }, told);
      const held = await lookAtHaproxy(haproxy);
      await haproxy.kill9();
      await haproxy.start();
      const begun = await lookAtHaproxy(haproxy);
      const other = differences(held, begun);
      asBefore = differences(await lookAt(haproxy), before).length === 0;
      if (verdict !== "lost" && verdict !== "half" && other.length === 0) continue;
      counts[verdict === "lost" ? "lost" : "half"] += 1;
      findings.push({
        tool,
        blow,
        point: call.point.replaceAll(haproxy.root, ""),
        what: `${verdict}; told ${JSON.stringify(told)}; ` + [
          ...describe("not before", left, before),
          ...describe("not after", left, after),
          ...describe("after a start", begun, held),
        ].join("; "),
      });
    }
    record("Crash points", tool, { [blow]: tried, ...counts });
  }
  return findings;
}

type View = Readonly<Record<string, string>>;

function describe(what: string, left: View, wanted: View): string[] {
  return differences(left, wanted).map((name) => `${what}: ${name} is ${left[name]}`);
}

/** Some of them, spread over all. */
function sample<T>(all: readonly T[], count: number, random: () => number): T[] {
  const share = all.length / count;
  if (share <= 1) return [...all];
  return Array.from({ length: count }, (_, i) => all[Math.floor((i + random()) * share)]);
}

Deno.test("a crash at any point of any change leaves the whole of it or nothing, and never less than was answered", async (t) => {
  const random = randomFrom(seedFor("crash points"));
  const queue = CHANGES.map((change) => ({ change, random: randomFrom(random() * 2 ** 32) }));
  const findings: Finding[] = [];
  await Promise.all(Array.from({ length: LANES }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      findings.push(...await strike(next.change, next.random));
    }
  }));
  for (const { tool, blow, point, what } of findings) {
    await t.step(`${tool}, ${blow} at ${point}`, () => assert.fail(what));
  }
});
