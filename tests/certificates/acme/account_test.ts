import assert from "node:assert/strict";
import { startAcmeRig } from "../../support/acme/rig.ts";
import { assertNoRecordLeft, failure, openBeside } from "./beside.ts";

Deno.test("account registers one with a P-256 key, and finds it by that key again", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  const account = await beside.register();
  assert.match(account.key, /^-----BEGIN PRIVATE KEY-----\n[\s\S]+-----END PRIVATE KEY-----\n$/);
  assert.equal(new URL(account.url).host, new URL(rig.directory).host);
  assert.deepEqual(await beside.register({ ...account, url: "https://elsewhere.test/1" }), account);
});

Deno.test("account replaces one that the CA does not know", async () => {
  await using rig = await startAcmeRig();
  await using other = await startAcmeRig();
  await using beside = await openBeside(rig), elsewhere = await openBeside(other);
  const unknown = await elsewhere.register();
  const account = await beside.register(unknown);
  assert.notEqual(account.key, unknown.key);
  await beside.order({ domain: "example.test", account });
});

Deno.test("account refuses a key that can't be read, and shows nothing of it", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig);
  const key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END PRIVATE KEY-----\n";
  const error = await failure(rig, beside.register({ key, url: rig.directory }));
  assert.equal(error.message, "The ACME account's private key can't be read.");
  assert.ok(!JSON.stringify(error.toData()).includes("c2VjcmV0"));
});

Deno.test("account without an e-mail address is registered, too", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig, { settings: { email: undefined } });
  await beside.register();
});

Deno.test("a CA that wants External Account Binding gets it, in either spelling of base64", async () => {
  await using rig = await startAcmeRig({ eab: true });
  const { kid, hmacKey } = rig.eab!;
  const plain = `${hmacKey.replaceAll("-", "+").replaceAll("_", "/")}==`;
  for (const key of [hmacKey, plain]) {
    await using beside = await openBeside(rig, { settings: { eab: { kid, hmacKey: key } } });
    await beside.order({ domain: "example.test" });
    await assertNoRecordLeft(rig, "example.test");
  }
});

Deno.test("a CA that wants External Account Binding is told apart when there is none", async () => {
  await using rig = await startAcmeRig({ eab: true });
  await using beside = await openBeside(rig, { settings: { eab: undefined } });
  const { message, hint } = await failure(rig, beside.register());
  assert.match(message, /^The CA localhost:\d+ wants External Account Binding\.$/);
  assert.equal(
    hint,
    "Set ACME_EAB_KID and ACME_EAB_HMAC_KEY to a pair that the CA gives its customers.",
  );
});

Deno.test("a pair for External Account Binding that the CA refuses is an error that names its settings", async () => {
  await using rig = await startAcmeRig({ eab: true });
  const { kid, hmacKey } = rig.eab!;
  for (
    const eab of [{ kid, hmacKey: hmacKey.replace("z", "y") }, { kid: "other", hmacKey }]
  ) {
    await using beside = await openBeside(rig, { settings: { eab } });
    const { message, hint, details } = await failure(rig, beside.register());
    assert.match(message, /^The CA localhost:\d+ refused to register an account: .+\.$/);
    assert.match(hint!, /ACME_EAB_KID and ACME_EAB_HMAC_KEY/);
    assert.match(String(details?.type), /^urn:ietf:params:acme:error:/);
    assert.ok(!JSON.stringify({ message, hint, details }).includes(eab.hmacKey));
  }
});

Deno.test("a key for External Account Binding that can be none is refused before it is used", async () => {
  await using rig = await startAcmeRig({ eab: true });
  await using beside = await openBeside(rig, {
    settings: { eab: { kid: "rig-kid", hmacKey: "short" } },
  });
  const { message } = await failure(rig, beside.register());
  assert.equal(message, "ACME_EAB_HMAC_KEY is not a base64url key of 32 bytes or more.");
});

Deno.test("a CA that wants no External Account Binding is not shown a pair", async () => {
  await using rig = await startAcmeRig();
  await using beside = await openBeside(rig, {
    settings: { eab: { kid: "of another CA", hmacKey: "short" } },
  });
  await beside.register();
});
