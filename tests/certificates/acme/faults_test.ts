import assert from "node:assert/strict";
import { startAcmeRig } from "../../support/acme/rig.ts";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/ports.ts";
import { assertNoRecordLeft, failure, openBeside } from "./beside.ts";

const DOMAIN = "example.test";
const problem = (type: string, detail: string) => ({
  type: `urn:ietf:params:acme:error:${type}`,
  detail,
});

Deno.test("every act says that the CA can't be reached, and adds no record", async () => {
  await using rig = await startAcmeRig();
  const directory = `https://localhost:${freePort()}/dir`;
  await using up = await openBeside(rig);
  const account = await up.register();
  await using beside = await openBeside(rig, { settings: { directory } });
  for (
    const act of [
      () => beside.register(),
      () => beside.order({ domain: DOMAIN, account }),
      () => beside.acts.call("renewalInfo", { id: "AA.AA" }),
    ]
  ) {
    const { message, hint } = await failure(rig, act());
    assert.match(message, /^The CA localhost:\d+ can't be reached: Connection refused\.$/);
    assert.equal(hint, "Look whether this machine reaches it, and try again.");
  }
  assert.ok(rig.cloudflare.log().every(({ method }) => method === "GET"));
});

Deno.test("a CA whose certificate is signed by nobody known is named with ACME_CA_FILE", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig, { settings: { caPem: undefined } });
  const { message, hint } = await failure(rig, beside.register());
  assert.match(message, /can't be reached: invalid peer certificate/);
  assert.match(hint!, /ACME_CA_FILE/);
});

Deno.test("a CA file without a certificate is refused at the start", async () => {
  await using rig = await startAcmeRig();
  const { message } = await failure(rig, openBeside(rig, { settings: { caPem: "none" } }));
  assert.match(message, /^ACME_CA_FILE can't be used/);
});

Deno.test("what is no ACME directory is said to be none", async () => {
  await using rig = await startAcmeRig({ faults: true });
  await using beside = await openBeside(rig);
  for (const body of ["<html>", "{}", "null", "[1]"]) {
    rig.ca.failNext({ status: 200, body, match: "GET /dir" });
    const { message, hint } = await failure(rig, beside.register());
    assert.match(message, /was asked to show its directory, but its answer can't be read\.$/);
    assert.match(hint!, /ACME_DIRECTORY/);
  }
  rig.ca.failNext({ status: 302, body: "", headers: { Location: rig.ca.directory } });
  await failure(rig, beside.register());
  const elsewhere = `https://localhost:${freePort()}/`;
  const urls = { newNonce: elsewhere, newAccount: elsewhere, newOrder: elsewhere };
  rig.ca.failNext({ status: 200, body: urls, match: "GET /dir" });
  assert.match((await failure(rig, beside.register())).message, /which may not be reached\.$/);
});

Deno.test("a limit of the CA's is an error with the time to try again", async () => {
  await using rig = await startAcmeRig({ faults: true });
  await using beside = await openBeside(rig);
  rig.ca.failNext({
    status: 429,
    match: "order-plz",
    headers: { "Retry-After": "3600" },
    body: problem("rateLimited", "too many certificates for example.test"),
  });
  const { message, hint, details } = await failure(rig, beside.order({ domain: DOMAIN }));
  assert.match(
    message,
    /refused to order a certificate for example\.test: too many certificates for example\.test \(rateLimited\)\.$/,
  );
  assert.equal(details?.status, 429);
  assert.equal(details?.type, "urn:ietf:params:acme:error:rateLimited");
  const at = Date.parse(String(details?.retry_after));
  assert.ok(Math.abs(at - Date.now() - 3_600_000) < 20_000);
  assert.equal(hint, `Try again after ${details?.retry_after}.`);
  await assertNoRecordLeft(rig, DOMAIN);
});

Deno.test("a limit that passes within seconds is waited for", async () => {
  await using rig = await startAcmeRig({ faults: true });
  await using beside = await openBeside(rig);
  for (const match of ["sign-me-up", "order-plz", "finalize-order", "my-order"]) {
    rig.ca.failNext({
      status: 429,
      match,
      headers: { "Retry-After": "1" },
      body: problem("rateLimited", "slowly"),
    });
  }
  await beside.order({ domain: DOMAIN });
  await assertNoRecordLeft(rig, DOMAIN);
});

Deno.test("whatever fails at the CA, no record is left", async () => {
  await using rig = await startAcmeRig({ faults: true });
  await using beside = await openBeside(rig);
  const account = await beside.register();
  for (
    const [match, doing] of [
      ["order-plz", "order a certificate for example.test and *.example.test"],
      ["authZ", "order a certificate for example.test and *.example.test"],
      ["chalZ", "check example.test"],
      ["my-order", "check example.test"],
      ["finalize-order", "issue the certificate for example.test"],
      ["certZ", "hand out the certificate for example.test"],
    ] as const
  ) {
    rig.ca.failNext({ status: 500, match, body: problem("serverInternal", "It broke") });
    const { message } = await failure(
      rig,
      beside.order({ domain: DOMAIN, wildcard: true, account }),
    );
    assert.match(message, /^The CA localhost:\d+ refused to .+: It broke \(serverInternal\)\.$/);
    assert.ok(message.includes(`refused to ${doing}:`), message);
    await assertNoRecordLeft(rig, DOMAIN);
  }
  // The first account has proved the domain, and Pebble may take that for an answer: no challenge, then.
  const other = await beside.register();
  for (const match of ["order-plz", "chalZ", "finalize-order"]) {
    rig.ca.failNext({ status: 503, match, body: "<html>" });
    const { message, hint } = await failure(rig, beside.order({ domain: DOMAIN, account: other }));
    assert.match(message, /^The CA localhost:\d+ answered 503 when it was asked to .+\.$/);
    assert.equal(hint, "Try again later.");
    await assertNoRecordLeft(rig, DOMAIN);
  }
});

Deno.test("a CA's words stand in one line, without a secret and not too long", async () => {
  await using rig = await startAcmeRig({ faults: true });
  await using beside = await openBeside(rig);
  const detail = `first\nsecond\x1b[31m ${rig.cloudflare.token} ${"x".repeat(2_000)}`;
  rig.ca.failNext({ status: 403, match: "order-plz", body: problem("unauthorized", detail) });
  const { message } = await failure(rig, beside.order({ domain: DOMAIN }));
  assert.match(message, /: first second \[31m … x+… \(unauthorized\)\.$/);
  assert.ok(message.length < 600);
});

for (const match of ["order-plz", "authZ", "chalZ", "my-order", "finalize-order", "certZ"]) {
  Deno.test(`order cancelled while the CA is at ${match} answers CANCELLED at once, and leaves no record`, async () => {
    await using rig = await startAcmeRig({ faults: true });
    await using beside = await openBeside(rig);
    const account = await beside.register();
    const controller = new AbortController();
    const held = Promise.withResolvers<void>();
    rig.ca.onRequest = (at) => {
      if (!at.includes(match)) return;
      controller.abort(new DOMException("The caller cancelled.", "AbortError"));
      return held.promise;
    };
    try {
      const order = beside.order(
        { domain: DOMAIN, wildcard: true, account },
        { signal: controller.signal },
      );
      const { message } = await failure(rig, order, "CANCELLED");
      assert.equal(message, "The caller cancelled.");
    } finally {
      held.resolve();
    }
    await beside.room.peer.call("stop", undefined);
    await assertNoRecordLeft(rig, DOMAIN);
  });
}

Deno.test("order cancelled while its records are awaited, or removed slowly, leaves none", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig, { settings: { dnsWait: 60 } });
  const account = await beside.register();
  rig.cloudflare.dropDns(true);
  rig.cloudflare.failNext({ status: 500, match: "DELETE", times: 2 });
  const controller = new AbortController();
  const order = beside.order({ domain: DOMAIN, account }, { signal: controller.signal });
  await eventually(() => rig.cloudflare.records().length === 1 && beside.looks() > 0);
  controller.abort();
  await failure(rig, order, "CANCELLED");
  assert.equal(rig.cloudflare.records().length, 1);
  await beside.room.peer.call("stop", undefined);
  await assertNoRecordLeft(rig, DOMAIN);
});

Deno.test("a room that is stopped cancels its order, and answers when no record is left", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig, { settings: { dnsWait: 60 } });
  rig.cloudflare.dropDns(true);
  rig.cloudflare.failNext({ status: 500, match: "DELETE" });
  const order = failure(rig, beside.order({ domain: DOMAIN, wildcard: true }), "CANCELLED");
  await eventually(() => rig.cloudflare.records().length === 2 && beside.looks() > 0);
  await beside.room.peer.call("stop", undefined);
  await assertNoRecordLeft(rig, DOMAIN);
  assert.equal((await order).message, "The acme room closes.");
});
