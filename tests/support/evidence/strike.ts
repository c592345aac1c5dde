/** A change, and all blows at its points. */
import assert from "node:assert/strict";
import type { Haproxy } from "../haproxy.ts";
import { type BlowName, BLOWS, judge, meets, putBack, readFiles, startAgain } from "./crash.ts";
import { FULL, record, sample } from "./record.ts";
import type { Change } from "./site.ts";
import { callUntil, pointsPassed, type Told } from "./stopped_call.ts";
import { differences, lookAt, lookAtHaproxy, type View } from "./view.ts";

export interface Finding {
  readonly tool: string;
  readonly blow: BlowName;
  readonly point: string;
  readonly what: string;
}

/** Points of a tool that a blow is struck at, where not all are wanted. */
const SAMPLE = 2;

/**
 * @param look what the change can touch; of what is another each time, like a certificate, only what has to be the same
 * @returns what was lost or half
 */
export async function strike(
  haproxy: Haproxy,
  { tool, args, env, words }: Change & { readonly env?: Readonly<Record<string, string>> },
  random: () => number,
  look: (haproxy: Haproxy) => Promise<View> = lookAt,
): Promise<Finding[]> {
  const files = await readFiles(haproxy);
  const before = await look(haproxy);
  const findings: Finding[] = [];
  {
    await using call = await callUntil(haproxy, tool, args, { at: 0 }, env, words);
    const told = await call.told;
    assert.ok(told.done, `${tool}: ${told.text}`);
  }
  const points = await pointsPassed(haproxy);
  const after = await look(haproxy);
  let asBefore = false;

  for (const blow of Object.keys(BLOWS) as BlowName[]) {
    const suitable = points.flatMap((point, i) => meets(blow, point) ? [i + 1] : []);
    const chosen = FULL ? suitable : sample(suitable, SAMPLE, random);
    const counts = { lost: 0, half: 0 };
    let tried = 0;
    for (const at of chosen) {
      if (!asBefore) await putBack(haproxy, files);
      asBefore = false;
      await using call = await callUntil(haproxy, tool, args, { at }, env, words);
      if (call.point === undefined) continue;
      tried += 1;
      const told = inFull(await BLOWS[blow](call.point, call, haproxy));
      await startAgain(haproxy);
      const left = await look(haproxy);
      const verdict = judge(left, { before, after }, told);
      const held = await lookAtHaproxy(haproxy);
      await haproxy.kill9();
      await haproxy.start();
      const begun = await lookAtHaproxy(haproxy);
      const other = differences(held, begun);
      asBefore = differences(await look(haproxy), before).length === 0;
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

/** A tool that does many things tells of one that failed in its answer. */
function inFull(told: Told | undefined): Told | undefined {
  const [, code] = /"failed":\s*\[\s*\{[^}]*"code":\s*"([A-Z_]+)"/.exec(told?.text ?? "") ?? [];
  return told && code ? { ...told, done: false, code } : told;
}

function describe(what: string, left: View, wanted: View): string[] {
  return differences(left, wanted).map((name) => `${what}: ${name} is ${left[name]}`);
}

/** A step of the test for each, which fails. */
export async function report(t: Deno.TestContext, findings: readonly Finding[]): Promise<void> {
  for (const { tool, blow, point, what } of findings) {
    await t.step(`${tool}, ${blow} at ${point}`, () => assert.fail(what));
  }
}
