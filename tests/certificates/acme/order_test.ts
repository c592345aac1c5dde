import assert from "node:assert/strict";
import { PEBBLES } from "../../support/acme/pebble.ts";
import { startAcmeRig } from "../../support/acme/rig.ts";
import { openPki } from "../../support/pki.ts";
import { ariId } from "./ari_id.ts";
import { assertNoRecordLeft, failure, openBeside } from "./beside.ts";

/** The names of the leaf, which verifies against the root and belongs to the key. */
async function verified(
  { key, certificates }: { readonly key: string; readonly certificates: string },
  root: string,
): Promise<string[]> {
  await using pki = await openPki();
  await pki.write("root.pem", root);
  await pki.write("chain.pem", certificates);
  await pki.write("key.pem", key);
  await pki.openssl("verify", "-CAfile", "root.pem", "-untrusted", "chain.pem", "chain.pem");
  const ofCertificate = await pki.openssl("x509", "-in", "chain.pem", "-noout", "-pubkey");
  assert.equal(await pki.openssl("pkey", "-in", "key.pem", "-pubout"), ofCertificate);
  assert.match(await pki.openssl("pkey", "-in", "key.pem", "-noout", "-text"), /NIST CURVE: P-256/);
  const names = await pki.openssl(
    ...["x509", "-in", "chain.pem", "-noout", "-ext", "subjectAltName"],
  );
  return Array.from(names.matchAll(/DNS:([^,\s]+)/g), ([, name]) => name).sort();
}

for (const pebble of PEBBLES) {
  Deno.test(`order issues a certificate for a domain, its wildcard, and a name below a zone (Pebble ${pebble})`, async () => {
    await using rig = await startAcmeRig({ pebble });
    await using beside = await openBeside(rig);
    const root = await rig.root();
    for (
      const [domain, wildcard, names] of [
        ["example.test", false, ["example.test"]],
        ["other.test", true, ["*.other.test", "other.test"]],
        ["a.b.example.org.test", false, ["a.b.example.org.test"]],
      ] as const
    ) {
      const ordered = await beside.order({ domain, wildcard });
      assert.deepEqual(await verified(ordered, root), names);
      assert.equal(ordered.certificates.match(/BEGIN CERTIFICATE/g)!.length, 2);
      await assertNoRecordLeft(rig, domain);
    }
  });
}

Deno.test("order tells each step", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  const steps: string[] = [];
  await beside.order({ domain: "example.test", wildcard: true }, {
    onProgress: ({ progress, total, message }) =>
      void steps.push(`${progress}/${total} ${message?.replaceAll(/:\d+/g, "")}`),
  });
  assert.deepEqual(steps, [
    "0/6 Looking for the DNS zone of example.test",
    "1/6 Ordering a certificate for example.test and *.example.test from localhost",
    "2/6 Adding 2 TXT record(s) _acme-challenge.example.test to example.test",
    "3/6 Waiting until the servers of example.test show the records",
    "4/6 The CA looks at the records",
    "5/6 The CA issues the certificate",
  ]);
});

Deno.test("order marks its records as the agent's, and waits until they are seen", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  rig.cloudflare.delayDns(1_500);
  const comments = new Set<string | null>();
  await beside.order({ domain: "example.test", wildcard: true }, {
    onProgress: () => rig.cloudflare.records().forEach(({ comment }) => comments.add(comment)),
  });
  assert.deepEqual([...comments], ["haproxy-mcp"]);
  assert.ok(beside.looks() > 1, `${beside.looks()} looks`);
});

Deno.test("order gets its certificate where the CA refuses 40 of 100 nonces", async () => {
  await using rig = await startAcmeRig({ nonceReject: 40 });
  await using beside = await openBeside(rig);
  for (let round = 0; round < 3; round++) {
    await beside.order({ domain: "example.test", wildcard: true });
  }
  await assertNoRecordLeft(rig, "example.test");
});

Deno.test("order adds no record for what the CA takes for proved already", async () => {
  await using rig = await startAcmeRig({ authzReuse: 100 });
  await using beside = await openBeside(rig);
  const account = await beside.register();
  await beside.order({ domain: "example.test", account });
  const added = () => rig.cloudflare.log().filter(({ method }) => method === "POST").length;
  assert.equal(added(), 1);
  await beside.order({ domain: "example.test", account });
  assert.equal(added(), 1);
  await beside.order({ domain: "example.test", wildcard: true, account });
  assert.equal(added(), 2);
});

Deno.test("order names the certificate that it replaces, and goes without where the CA refuses that", async () => {
  await using rig = await startAcmeRig({ faults: true });
  await using beside = await openBeside(rig);
  const account = await beside.register();
  const first = await beside.order({ domain: "example.test", account });
  const replaces = await ariId(first.certificates);
  await beside.order({ domain: "example.test", account, replaces });
  assert.match(await rig.logs(), /is a replacement/);
  // A second order can't replace it once more.
  const third = await beside.order({ domain: "example.test", account, replaces });
  assert.match(third.certificates, /BEGIN CERTIFICATE/);
  // Another CA's; and one of this CA that it does not know.
  for (const unknown of ["bm9ib2R5.AQ", replaces.replace(/[^.]+$/, "AQ")]) {
    await beside.order({ domain: "example.test", account, replaces: unknown });
  }
  // A CA that is busy is not asked twice.
  rig.ca.failNext({ status: 503, match: "order-plz", body: "<html>" });
  const { message } = await failure(
    rig,
    beside.order({ domain: "example.test", account, replaces: "bm9ib2R5.AQ" }),
  );
  assert.match(message, /answered 503/);
  await assertNoRecordLeft(rig, "example.test");
});

Deno.test("order keeps what it replaces to itself where the CA has no renewal information", async () => {
  await using rig = await startAcmeRig({ pebble: "2.4" });
  await using beside = await openBeside(rig);
  const { certificates } = await beside.order({ domain: "example.test", replaces: "bm9ib2R5.AQ" });
  assert.match(certificates, /BEGIN CERTIFICATE/);
});

Deno.test("order of a name longer than a common name may be gets its certificate", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  const domain = `${"a".repeat(40)}.${"b".repeat(40)}.example.test`;
  const ordered = await beside.order({ domain });
  assert.deepEqual(await verified(ordered, await rig.root()), [domain]);
});

Deno.test("check names the zone that holds a domain, and changes nothing", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  assert.deepEqual(
    await beside.acts.call("check", { domain: "a.b.example.org.test", registered: true }),
    {
      zone: "example.org.test",
    },
  );
  assert.ok(rig.cloudflare.log().every(({ method }) => method === "GET"));
  await failure(rig, beside.acts.call("check", { domain: "nobody.invalid", registered: true }));
});
