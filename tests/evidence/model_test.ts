/**
 * A model: random sequences of every writing tool that needs no CA, by several clients at once, with kills, reloads and
 * hands other than the agent's in between. Disk, HAProxy, the reading tools and a model in memory agree after each.
 */
import assert from "node:assert/strict";
import { play } from "../support/evidence/model/sequence.ts";
import { FULL, randomFrom, record, seedFor } from "../support/evidence/record.ts";
import { HAPROXY_VERSIONS, type HaproxyVersion } from "../support/haproxy.ts";

/** Of each version, in a bounded run and in a full one. */
const SEQUENCES = FULL ? 60 : 2;

/**
 * Sequences that found something, played again each time. What they found has tests of its own, which need no luck:
 * tests/transaction/{together,unfinished}_test.ts, tests/reconcile/{converge,certificates}_test.ts.
 */
const KEPT: readonly (readonly [HaproxyVersion, seed: number, found: string])[] = [
  ["3.4", 40, "a change that HAProxy's end cuts off is gone from the journal, whoever knows of it"],
  [
    "3.0",
    102710483,
    "a certificate that is deleted while a new worker loads is gone from that one, too",
  ],
];

async function playAll(version: HaproxyVersion, seeds: readonly number[]): Promise<void> {
  for (const seed of seeds) {
    const { counts, faults, actions } = await play(version, seed);
    const count = (kind: string) => Number(faults.some((fault) => fault.kind === kind));
    record("Sequences", version, {
      sequences: 1,
      ...counts,
      lost: count("lost"),
      half: count("half"),
      failed: count("failed"),
    });
    if (faults.length === 0) continue;
    const found = faults.map(({ kind, what }) => `${kind}: ${what}`).join("\n");
    // What is read when only the end of a log is left comes last.
    assert.fail(`${actions.join("\n")}\n\nHAProxy ${version}, sequence ${seed}:\n${found}`);
  }
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: whatever clients, kills, reloads and hands do at once, disk, HAProxy, the tools and a model agree`, async () => {
    const random = randomFrom(seedFor(`sequences on ${version}`));
    const seeds = Array.from({ length: SEQUENCES }, () => Math.floor(random() * 2 ** 32));
    await playAll(version, seeds);
  });
}

for (const [version, seed, found] of KEPT) {
  Deno.test(`${version}, sequence ${seed}: ${found}`, () => playAll(version, [seed]));
}
