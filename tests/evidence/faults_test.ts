/**
 * Faults of HAProxy: each writing tool, with each thing that can go wrong at the other end of the Runtime API, at its
 * exchanges with it. Once the fault is over, disk and HAProxy hold the whole change or none of it, as the caller was told.
 */
import assert from "node:assert/strict";
import { type FaultKind, type FaultName, FAULTS } from "../support/evidence/faults/faults.ts";
import {
  type Lane,
  type Learned,
  openLane,
  type Result,
  type Settler,
  type Trial,
} from "../support/evidence/faults/lane.ts";
import { FULL, randomFrom, record, sample, seedFor } from "../support/evidence/record.ts";
import { type Change, CHANGES } from "../support/evidence/site.ts";
import { differences, type View } from "../support/evidence/view.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";

/** They wait for a deadline most of the time. */
const LANES = 6;
/** Faults of a tool, where not all are wanted: the tools take turns. */
const SAMPLE = 2;
/** Of a tool with a fault: at several exchanges, settled in both ways. */
const TRIALS = FULL ? 8 : 1;
const SETTLERS: readonly Settler[] = ["serve", "new start"];

const names = Object.keys(FAULTS) as FaultName[];

interface Finding {
  readonly name: string;
  readonly what: string;
}

/** Of all that a fault can do to a tool's exchanges, some. */
function trialsOf(fault: FaultName, learned: Learned, random: () => number): Trial[] {
  const { strikes, lasts, early = false }: FaultKind = FAULTS[fault];
  const all = strikes === "command" ? learned.commands.length : learned.conversations;
  const exchanges = early ? Math.min(all, 1) : all;
  const trials = Array.from({ length: exchanges }, (_, i) => i + 1).flatMap((at) =>
    lasts.flatMap((lasting) => SETTLERS.map((settler) => ({ fault, at, lasting, settler })))
  );
  return sample(trials, TRIALS, random);
}

/** Each fault comes equally often. */
function share(turn: number): FaultName[] {
  return Array.from({ length: SAMPLE }, (_, i) => names[(turn * SAMPLE + i) % names.length]);
}

/** These faults of a tool's call. */
async function tryAll(
  lane: Lane,
  call: Change,
  faults: readonly FaultName[],
  random: () => number,
): Promise<Finding[]> {
  const { tool } = call;
  const learned = await lane.learn(call);
  const findings: Finding[] = [];
  for (const fault of faults) {
    for (const trial of trialsOf(fault, learned, random)) {
      const counts = { [fault]: 0, lost: 0, half: 0, failed: 0 };
      const result = await lane.attempt(call, trial, learned);
      if (result.struck) counts[fault] += 1;
      const bad = faultOf(trial, result);
      if (bad) {
        counts[bad] += 1;
        findings.push({
          name: `${tool}, ${fault} at ${result.struck}, settled by ${trial.settler}` +
            (trial.lasting ? ", lasting" : ""),
          what: describe(bad, result, learned),
        });
      }
      record("Faults of HAProxy", tool, counts);
    }
  }
  return findings;
}

function faultOf(
  { fault }: Trial,
  { verdict, told }: Result,
): "lost" | "half" | "failed" | undefined {
  if (verdict === "lost" || verdict === "half") return verdict;
  const { harmless = false }: FaultKind = FAULTS[fault];
  return harmless && !told?.done ? "failed" : undefined;
}

function describe(
  bad: string,
  { left, told, log }: Result,
  { before, after }: Learned,
): string {
  const lines = (what: string, wanted: View) =>
    differences(left, wanted).map((name) =>
      `not ${what}: ${name}\n${left[name]}\ninstead of\n${wanted[name]}`
    );
  return [
    `${bad}; told ${JSON.stringify(told)}`,
    ...lines("before", before),
    ...lines("after", after),
    log,
  ].join("\n");
}

Deno.test("whatever HAProxy does in the middle of a change, it is done whole or not at all, as the caller was told", async (t) => {
  const seed = seedFor("faults of HAProxy");
  const random = randomFrom(seed);
  const queue = CHANGES.map((call, i) => ({
    call,
    faults: FULL ? names : share(i + seed),
    random: randomFrom(random() * 2 ** 32),
  }));
  const findings: Finding[] = [];
  await Promise.all(Array.from({ length: LANES }, async (_, i) => {
    const version = HAPROXY_VERSIONS[(seed + i) % HAPROXY_VERSIONS.length];
    await using lane = await openLane(version);
    for (let next = queue.shift(); next; next = queue.shift()) {
      findings.push(...await tryAll(lane, next.call, next.faults, next.random));
    }
  }));
  for (const { name, what } of findings) await t.step(name, () => assert.fail(what));
});
