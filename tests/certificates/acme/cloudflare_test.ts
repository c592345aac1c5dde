import assert from "node:assert/strict";
import { type AcmeRig, startAcmeRig } from "../../support/acme/rig.ts";
import { eventually } from "../../support/eventually.ts";
import { assertNoRecordLeft, failure, openBeside } from "./beside.ts";

const DOMAIN = "example.test";
const ordersAt = (rig: AcmeRig) => rig.ca.log().filter((at) => at.includes("order-plz"));

Deno.test("order asks the CA for nothing while the domain's zone can't be had", async () => {
  await using rig = await startAcmeRig({ faults: true });
  const { api, accountId, zoneId } = rig.cloudflare;
  for (
    const [cloudflare, domain, message] of [
      [{ token: undefined }, DOMAIN, /^There is no CF_Token/],
      [
        { token: "wrong-token" },
        DOMAIN,
        /^Cloudflare did not take CF_Token to look for the zone example\.test: Invalid access token\.$/,
      ],
      [
        { token: "not/a/token" },
        DOMAIN,
        /^Cloudflare did not take CF_Token .+: Invalid request headers\.$/,
      ],
      [
        {},
        "a.b.nobody.invalid",
        /holds a\.b\.nobody\.invalid: tried a\.b\.nobody\.invalid, b\.nobody\.invalid, nobody\.invalid\.$/,
      ],
      [{ accountId: "f".repeat(32) }, DOMAIN, /^No zone at Cloudflare/],
      [
        { zoneId: zoneId("other.test") },
        DOMAIN,
        /^CF_Zone_ID is the zone other\.test, which does not hold example\.test\.$/,
      ],
      [
        { zoneId: "f".repeat(32) },
        DOMAIN,
        /^Cloudflare refused to show the zone of CF_Zone_ID: Could not route/,
      ],
      [
        { api: api.replace("/client/v4", "/elsewhere") },
        DOMAIN,
        /^Cloudflare refused to look for the zone/,
      ],
    ] as const
  ) {
    await using beside = await openBeside(rig, { cloudflare });
    const account = await beside.register();
    const error = await failure(rig, beside.order({ domain, account }));
    assert.match(error.message, message);
    assert.ok(!error.message.includes("not/a/token"));
    await failure(rig, beside.acts.call("check", { domain, registered: true }));
  }
  assert.deepEqual(ordersAt(rig), []);
  await using beside = await openBeside(rig, { cloudflare: { accountId } });
  await beside.order({ domain: DOMAIN });
  await using byId = await openBeside(rig, { cloudflare: { zoneId: zoneId(DOMAIN) } });
  await byId.order({ domain: `www.${DOMAIN}` });
});

Deno.test("order fails when the record is refused, and leaves none", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  rig.cloudflare.failNext({ status: 400, match: "POST /zones" });
  const error = await failure(rig, beside.order({ domain: DOMAIN, wildcard: true }));
  assert.equal(
    error.message,
    "Cloudflare refused to add the TXT record _acme-challenge.example.test: Failure 400 of the rig.",
  );
  await assertNoRecordLeft(rig, DOMAIN);
});

Deno.test("order removes a record that was added although the answer was an error", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  rig.cloudflare.failNext({ status: 500, match: "POST /zones", after: true });
  const { message } = await failure(rig, beside.order({ domain: DOMAIN, wildcard: true }));
  assert.match(message, /^Cloudflare refused to add the TXT record/);
  await assertNoRecordLeft(rig, DOMAIN);
});

Deno.test("order waits for Cloudflare's limit when it passes soon, and names its end when it does not", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  rig.cloudflare.failNext({ status: 429, match: "POST /zones", headers: { "Retry-After": "1" } });
  await beside.order({ domain: DOMAIN });
  rig.cloudflare.failNext({ status: 429, match: "POST /zones", headers: { "Retry-After": "300" } });
  const { hint, details } = await failure(rig, beside.order({ domain: DOMAIN }));
  const at = Date.parse(String(details?.retry_after));
  assert.ok(Math.abs(at - Date.now() - 300_000) < 20_000, String(details?.retry_after));
  assert.equal(hint, `Try again after ${details?.retry_after}.`);
  await assertNoRecordLeft(rig, DOMAIN);
});

Deno.test("order uses a record that an unanswered try has made already", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  rig.cloudflare.failNext({
    status: 429,
    match: "POST /zones",
    headers: { "Retry-After": "0" },
    after: true,
  });
  await beside.order({ domain: DOMAIN });
  assert.ok(rig.cloudflare.log().some(({ status }) => status === 400));
  await assertNoRecordLeft(rig, DOMAIN);
});

Deno.test("order removes what an earlier one left an hour ago, and nothing of somebody else's", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  const name = `_acme-challenge.${DOMAIN}`, long = "2020-01-01T00:00:00Z";
  const now = new Date().toISOString();
  rig.cloudflare.plant({ name, content: "stale", comment: "haproxy-mcp", created_on: long });
  rig.cloudflare.plant({ name, content: "fresh", comment: "haproxy-mcp", created_on: now });
  rig.cloudflare.plant({ name, content: "theirs", created_on: long });
  await beside.order({ domain: DOMAIN, wildcard: true });
  assert.deepEqual(rig.cloudflare.records().map(({ content }) => content), ['"fresh"', '"theirs"']);
});

Deno.test("order tries again to remove a record", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  rig.cloudflare.failNext({ status: 500, match: "DELETE", times: 2 });
  await beside.order({ domain: DOMAIN, wildcard: true });
  await assertNoRecordLeft(rig, DOMAIN);
});

Deno.test("order names a record that could not be removed", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig, { settings: { dnsWait: 1 } });
  rig.cloudflare.dropDns(true);
  rig.cloudflare.failNext({ status: 403, match: "DELETE", times: 3 });
  const { hint, details } = await failure(rig, beside.order({ domain: DOMAIN }));
  assert.deepEqual(details?.records_left, ["_acme-challenge.example.test"]);
  assert.match(hint!, /Remove the TXT record _acme-challenge\.example\.test by hand\.$/);
  assert.equal(rig.cloudflare.records().length, 1);
});

Deno.test("order fails when a TXT record never appears, with what the servers have", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig, { settings: { dnsWait: 2 } });
  rig.cloudflare.dropDns(true);
  const { message, details } = await failure(rig, beside.order({ domain: DOMAIN }));
  assert.equal(
    message,
    `The TXT record _acme-challenge.example.test did not show the CA's values within 2 s: ${rig.dnsServer} has none.`,
  );
  assert.deepEqual(details?.servers, [{ server: rig.dnsServer, values: [] }]);
  assert.equal((details?.expected as string[]).length, 1);
  await assertNoRecordLeft(rig, DOMAIN);
});

Deno.test("order fails in the CA's words when the CA finds no record", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig, { settings: { dnsWait: 0 } });
  rig.cloudflare.dropDns(true);
  const { message, details } = await failure(rig, beside.order({ domain: DOMAIN, wildcard: true }));
  assert.match(
    message,
    /^The CA localhost:\d+ could not check example\.test: No TXT records found .+ \(unauthorized\)\.$/,
  );
  assert.equal(details?.type, "urn:ietf:params:acme:error:unauthorized");
  assert.equal(beside.looks(), 0);
  await eventually(() => rig.cloudflare.records().length === 0);
  await assertNoRecordLeft(rig, DOMAIN);
});
