import assert from "node:assert/strict";
import { startAcmeRig } from "../../support/acme/rig.ts";
import { ariId } from "./ari_id.ts";
import { failure, openBeside } from "./beside.ts";

const HOUR = 3_600_000;

Deno.test("renewalInfo gives the CA's window, and when to ask again", async () => {
  await using rig = await startAcmeRig({ validity: 86_400 });
  await using beside = await openBeside(rig);
  const { certificates } = await beside.order({ domain: "example.test" });
  const id = await ariId(certificates);
  const info = await beside.acts.call("renewalInfo", { id });
  assert.ok(info);
  assert.ok(Date.parse(info.start) < Date.parse(info.end));
  assert.ok(Math.abs(Date.parse(info.askAgainAt) - Date.now() - 6 * HOUR) < 60_000);

  const start = "2026-01-01T00:00:00.000Z", end = "2026-01-02T00:00:00.000Z";
  await rig.setRenewalInfo(certificates, {
    suggestedWindow: { start: "2026-01-01T01:00:00+01:00", end },
    explanationURL: "https://example.test/why",
  });
  const { askAgainAt: _, ...now } = (await beside.acts.call("renewalInfo", { id }))!;
  assert.deepEqual(now, { start, end, explanationUrl: "https://example.test/why" });

  await rig.setRenewalInfo(certificates, { suggestedWindow: { start: end, end: start } });
  await failure(rig, beside.acts.call("renewalInfo", { id }));
});

Deno.test("renewalInfo is null of a certificate that the CA does not know", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  for (const id of ["bm9ib2R5.AQ", "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"]) {
    assert.equal(await beside.acts.call("renewalInfo", { id }), null);
  }
});

Deno.test("renewalInfo is null where the CA has none", async () => {
  await using rig = await startAcmeRig({ pebble: "2.4" });
  await using beside = await openBeside(rig);
  assert.equal(await beside.acts.call("renewalInfo", { id: "bm9ib2R5.AQ" }), null);
});

Deno.test("renewalInfo refuses what is no identifier", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  for (const id of ["", "AA", "AA.", "AA.AA/../x", "AA.AA?x"]) {
    await failure(rig, beside.acts.call("renewalInfo", { id }), "VALIDATION");
  }
});
