/**
 * Crash points: each writing tool, ended at each of its system calls. What is left after a new start is the whole change
 * or none of it, on disk, in HAProxy, and in a HAProxy that starts from that disk; nothing that was answered is missing.
 */
import { startAcmeRig } from "../support/acme/rig.ts";
import { randomFrom, seedFor } from "../support/evidence/record.ts";
import {
  CHANGES,
  openEvidenceSite,
  openOrderingSite,
  openRestoringSite,
  ORDERS,
} from "../support/evidence/site.ts";
import { type Finding, report, strike } from "../support/evidence/strike.ts";

const LANES = 2;

Deno.test("a crash at any point of any change leaves the whole of it or nothing, and never less than was answered", async (t) => {
  const random = randomFrom(seedFor("crash points"));
  const queue = CHANGES.map((change) => ({ change, random: randomFrom(random() * 2 ** 32) }));
  const findings: Finding[] = [];
  await Promise.all(Array.from({ length: LANES }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      await using haproxy = await openEvidenceSite();
      findings.push(...await strike(haproxy, next.change, next.random));
    }
  }));
  await report(t, findings);
});

Deno.test("a crash at any point of a restore leaves the state of the backup or the one before, whole", async (t) => {
  const random = randomFrom(seedFor("crash points of a restore"));
  const { haproxy, change } = await openRestoringSite();
  await using _haproxy = haproxy;
  await report(t, await strike(haproxy, change, random));
});

Deno.test("a crash at any point of an order leaves the old certificate or the new one, on disk as in HAProxy", async (t) => {
  const random = randomFrom(seedFor("crash points of orders"));
  await using rig = await startAcmeRig({ authzReuse: 100 });
  const findings: Finding[] = [];
  for (const change of ORDERS) {
    await using site = await openOrderingSite(rig, change);
    findings.push(...await strike(site.haproxy, { ...change, env: rig.env }, random, site.look));
  }
  await report(t, findings);
});
