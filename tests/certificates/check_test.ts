import assert from "node:assert/strict";
import { join } from "node:path";
import { assemblePem, type CheckOptions, checkPem } from "../../lib/certificates/check.ts";
import type { AgentError } from "../../lib/errors.ts";
import { paths } from "../../lib/init/options.ts";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { assertNoKey, type Issued, type IssueOptions, openPki, type Pki } from "../support/pki.ts";

const FILE = "/opt/haproxy/certs/a.test.pem";
const check = (text: string, options: Partial<CheckOptions> = {}) =>
  checkPem(text, { file: FILE, domain: "a.test", ...options });
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);

async function refused(text: string, why: RegExp, options: Partial<CheckOptions> = {}) {
  await assert.rejects(check(text, options), (error: AgentError) => {
    assert.equal(error.code, "CERTIFICATE", String(error.stack));
    assert.ok(error.message.startsWith(`${FILE} can't be used: `), error.message);
    assert.match(error.message, why);
    assert.match(error.message, /[^.]\.$/);
    assert.ok(error.hint, error.message);
    assert.deepEqual(error.details, { file: FILE });
    assertNoKey(JSON.stringify(error.toData()) + error.stack + error.cause, text);
    return true;
  });
}

/** root → ca → leaf. */
async function family(pki: Pki, options: IssueOptions = {}) {
  const root = await pki.issue(["root.test"]);
  const ca = await pki.issue(["ca.test"], { by: root, ca: true });
  const leaf = await pki.issue(["a.test", "*.a.test"], { by: ca, ...options });
  return { root, ca, leaf };
}
const text = (...parts: readonly (string | Issued)[]) =>
  parts.map((part) => typeof part === "string" ? part : part.certificate).join("");

Deno.test("checkPem takes what is right as it is", async () => {
  await using pki = await openPki();
  const { root, ca, leaf } = await family(pki);
  const whole = text(leaf.key, leaf, ca);
  const { text: served, certificate, chain, warnings } = await check(whole);
  assert.equal(served, whole);
  assert.equal(certificate.sha1, leaf.fingerprint);
  assert.deepEqual(chain.map(({ subject }) => subject), ["CN=ca.test"]);
  assert.deepEqual(warnings, []);
  assert.deepEqual(await assemblePem(leaf.key.trimEnd(), text(leaf, ca), { file: FILE }), {
    text: served,
    certificate,
    chain,
    warnings,
  });
  assert.equal((await check(text(root.key, root), { domain: "root.test" })).text, root.pem);
  const own = await selfSignedPem();
  assert.equal((await check(own, { domain: "haproxy-mcp.invalid" })).text, own);
});

Deno.test("checkPem brings key, certificate, chain and DH parameters into order, each once", async () => {
  await using pki = await openPki();
  const { root, ca, leaf } = await family(pki);
  const dh = await pki.openssl("dhparam", "-dsaparam", "512");
  const curve = await pki.openssl("ecparam", "-name", "prime256v1");
  const right = text(leaf.key, leaf, ca, root, dh);
  for (
    const mixed of [
      text(dh, root, leaf, ca, leaf.key),
      text(leaf, curve, leaf.key, ca, leaf, root, ca, dh, leaf.key),
      text(ca, leaf.key, root, dh, leaf, "subject=CN = a.test\n\n"),
      text(leaf, ca, root, leaf.key, dh).replaceAll("\n", "\r\n\r\n"),
      right.replaceAll("CERTIFICATE", "X509 CERTIFICATE"),
    ]
  ) {
    assert.equal((await check(mixed)).text, right);
  }
});

Deno.test("checkPem takes keys of every kind and form, and chains signed with them", async (t) => {
  await using pki = await openPki();
  for (const key of ["ec", "P-384", "P-521", "ed25519", "rsa:2048"] as const) {
    await t.step(key, async () => {
      const root = await pki.issue(["root.test"], { key });
      const leaf = await pki.issue(["a.test"], { key, by: root });
      const { chain, warnings } = await check(leaf.pem);
      assert.equal(chain.length, 1);
      assert.match(warnings[0], /has the root CN=root\.test/);
      const other = await pki.issue(["root.test"], { key });
      const forged = check(text(leaf.key, leaf, other));
      // Deno 2.6 can't verify anything on P-521: there the key identifiers tell.
      await assert.rejects(forged, /CN=a\.test was not signed by CN=root\.test, as it says/);
    });
  }
  const { leaf, ca } = await family(pki, { key: "rsa:2048" });
  await pki.write("key", leaf.key);
  const pkcs1 = await pki.openssl("rsa", "-in", "key", "-traditional");
  assert.equal((await check(text(ca, pkcs1, leaf))).text, text(pkcs1, leaf, ca));
});

Deno.test("signatures of RSA-PSS are verified too", async () => {
  await using pki = await openPki();
  const root = await pki.issue(["root.test"], { key: "rsa:2048" });
  const pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"];
  const leaf = await pki.issue(["a.test"], { by: root, args: [...pss, "-sha256"] });
  assert.equal((await check(leaf.pem)).warnings.length, 1);
  const other = await pki.issue(["root.test"], { key: "rsa:2048" });
  await refused(text(leaf.key, leaf, other), /was not signed by CN=root\.test/);
});

Deno.test("cross-signed issuers are both kept, the first path whole before the second", async () => {
  await using pki = await openPki();
  const old = await pki.issue(["old.test"]);
  const root = await pki.issue(["root.test"]);
  const crossed = await pki.issue(["root.test"], { ownKey: root.key, by: old, ca: true });
  const ca = await pki.issue(["ca.test"], { by: root, ca: true });
  const leaf = await pki.issue(["a.test"], { by: ca });
  const right = text(leaf.key, leaf, ca, crossed, old, root);
  for (const mixed of [[root, crossed, ca, leaf, old], [old, leaf, ca, crossed, root]]) {
    assert.equal((await check(text(...mixed, leaf.key))).text, right);
  }
  const without = await check(text(leaf.key, crossed, ca, leaf));
  assert.equal(without.text, text(leaf.key, leaf, ca, crossed));
  assert.deepEqual(without.warnings, []);
});

Deno.test("issuers that signed each other end the chain", async () => {
  await using pki = await openPki();
  const a = await pki.issue(["one.test"]), b = await pki.issue(["two.test"]);
  const aByB = await pki.issue(["one.test"], { ownKey: a.key, by: b, ca: true });
  const bByA = await pki.issue(["two.test"], { ownKey: b.key, by: a, ca: true });
  const leaf = await pki.issue(["a.test"], { by: a });
  const { text: served } = await check(text(leaf.key, bByA, aByB, leaf));
  assert.equal(served, text(leaf.key, leaf, aByB, bByA));
});

Deno.test("what could be better is a warning that names the certificate", async () => {
  await using pki = await openPki();
  const { root, ca, leaf } = await family(pki);
  const warnings = async (pem: string, options = {}) => (await check(pem, options)).warnings;
  const alone = text(leaf.key, leaf);
  assert.match((await warnings(alone)).join(), /^\/opt.* lacks the .* issuer, CN=ca\.test: .*\.$/);
  assert.match((await warnings(leaf.pem)).join(), /has the root CN=root\.test, .*\.$/);
  const expired = await warnings(text(alone, ca), { now: inDays(91), allowExpired: true });
  assert.match(
    expired.join(" "),
    /CN=a\.test expired on .*Z\. .*CN=ca\.test, in its chain, expired/,
  );
  const sha1 = await pki.issue(["a.test"], { by: root, args: ["-sha1"] });
  assert.match((await warnings(sha1.pem)).join(), /CN=a\.test .* is signed with SHA-1/);
});

Deno.test("names decide, not the subject, and the wildcard alone is enough", async () => {
  await using pki = await openPki();
  const { pem } = await pki.issue(["b.test", "*.C.test", "a.d.test"], { subject: "/CN=a.test" });
  for (const domain of ["b.test", "c.test", "x.c.test", "a.d.test"]) await check(pem, { domain });
  await check(pem, { domain: undefined });
  for (const domain of ["a.test", "x.b.test", "y.x.c.test", "d.test", "x.d.test"]) {
    await refused(pem, /is for b\.test, \*\.c\.test, a\.d\.test, which covers neither/, { domain });
  }
  const old = await pki.issue([], { subject: "/CN=A.test" });
  await check(old.pem);
  const nameless = await pki.issue([], { subject: "/O=a.test" });
  await refused(
    nameless.pem,
    /is for no name at all, which covers neither a\.test nor \*\.a\.test/,
  );
  const many = await pki.issue(Array.from({ length: 40 }, (_, i) => `n${i}.test`));
  await refused(many.pem, /is for n0\.test, .*, n4\.test and 35 more, which/);
});

Deno.test("a certificate counts from 5 minutes before it begins until it ends", async () => {
  await using pki = await openPki();
  const { root } = await family(pki);
  const ca = await pki.issue(["ca.test"], { by: root, ca: true, days: 10 });
  const leaf = await pki.issue(["a.test"], { by: ca });
  const pem = text(leaf.key, leaf, ca);
  await check(pem, { now: new Date(Date.now() - 4 * 60_000) });
  await refused(pem, /certificate CN=a\.test is not valid before 2\d.*Z\.$/, { now: inDays(-1) });
  await refused(pem, /not valid before/, { now: inDays(-1), allowExpired: true });
  await refused(pem, /: CN=ca\.test, in its chain, expired on 2\d.*Z\.$/, { now: inDays(11) });
  await refused(pem, /the certificate CN=a\.test expired on 2\d.*Z\.$/, { now: inDays(91) });
});

Deno.test("what can't be served is CERTIFICATE, and says why in a sentence", async () => {
  await using pki = await openPki();
  const { root, ca, leaf } = await family(pki);
  const stranger = await pki.issue(["stranger.test"]);
  const again = await pki.issue(["a.test"], { ownKey: leaf.key });
  const { key } = leaf;
  await pki.write("key", key);
  await pki.write("crt", leaf.certificate);
  const old = await pki.openssl("ec", "-in", "key", "-aes128", "-passout", "pass:x");
  const pkcs8 = await pki.openssl("pkcs8", "-topk8", "-in", "key", "-passout", "pass:x");
  const x25519 = await pki.openssl("genpkey", "-algorithm", "x25519");
  const block = (label: string, base64: string) =>
    `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
  const weak = await pki.issue(["a.test"], { key: "rsa:1024" });
  const weakRoot = await pki.issue(["root.test"], { key: "rsa:1024" });
  const weakly = await pki.issue(["a.test"], { by: weakRoot });
  const many = await Promise.all(Array.from({ length: 20 }, () => pki.issue(["b.test"])));
  const bad: readonly (readonly [string, RegExp])[] = [
    ["", /it has no certificate/],
    ["garbage\n", /it has no certificate/],
    [key, /it has no certificate/],
    [text(leaf, ca), /it has no private key/],
    [text(key, root.key, leaf), /it has 2 private keys/],
    [leaf.pem.slice(0, -40), /its block 4, CERTIFICATE, has no end/],
    [text(key, leaf).replace("MII", "M!I"), /its block 2, CERTIFICATE, is broken/],
    [text(key, leaf, ca).replace(/-{5}BEGIN C(?=[^]*-{5}BEGIN C)/, "-----BEGIN D"), /is broken/],
    [text(key, leaf) + ca.certificate.replace("BEGIN", "BEGUN"), /END line that belongs to no/],
    [text(key, leaf) + ca.certificate.replace("-----BEGIN", " -----BEGIN"), /belongs to no block/],
    [text(old, leaf), /encrypted private key/],
    [text(pkcs8, leaf), /encrypted private key/],
    [text(key, await pki.openssl("x509", "-in", "crt", "-trustout")), /TRUSTED CERTIFICATE/],
    [text(x25519, leaf), /its private key can't be read/],
    [block("PRIVATE KEY", "MAA=") + leaf.certificate, /its private key can't be read/],
    [key + block("CERTIFICATE", "MAA="), /its certificate 1 can't be read: its DER/],
    [text(stranger.key, leaf, ca), /belongs to no certificate in it \(CN=a\.test; CN=ca\.test\)/],
    [text(key, leaf, again), /2 certificates in it have its private key: CN=a\.test; CN=a\.test/],
    [text(ca.key, ca, root), /is for ca\.test, which covers neither a\.test/],
    [text(key, leaf, ca, stranger), /CN=stranger\.test has no place in the chain of CN=a\.test/],
    [text(key, leaf, root), /CN=root\.test has no place in the chain of CN=a\.test/],
    [text(key, leaf, ...many), /it has 21 certificates, more than 20/],
    [weak.pem, /the key of CN=a\.test is RSA 1024; HAProxy wants 2048/],
    [weakly.pem, /the key of CN=root\.test is RSA 1024/],
  ];
  for (const [pem, why] of bad) await refused(pem, why);
});

Deno.test("an issuer's signature counts, not its name", async () => {
  await using pki = await openPki();
  const { root, leaf } = await family(pki);
  const other = await pki.issue(["ca.test"], { by: root, ca: true });
  await refused(
    text(leaf.key, leaf, other),
    /CN=a\.test was not signed by CN=ca\.test, as it says/,
  );
  const self = await pki.issue(["a.test"]);
  const damaged = self.certificate.replace(
    /(.)(.{9})\n-----END/,
    (_, first, rest) => `${first === "A" ? "B" : "A"}${rest}\n-----END`,
  );
  await refused(text(self.key, damaged), /the signature of CN=a\.test is not its own, as it says/);
});

Deno.test("a CA may be called as its certificate is", async () => {
  await using pki = await openPki();
  const ca = await pki.issue(["a.test"]);
  const leaf = await pki.issue(["a.test"], { by: ca });
  assert.equal((await check(text(ca, leaf.key, leaf))).text, leaf.pem);
  assert.match(
    (await check(text(leaf.key, leaf))).warnings.join(),
    /lacks the .* issuer, CN=a\.test/,
  );
});

Deno.test("a certificate without a subject is called by its name", async () => {
  await using pki = await openPki();
  const { ca } = await family(pki);
  const leaf = await pki.issue(["a.test"], { by: ca, subject: "/" });
  const { text: served, certificate } = await check(text(leaf, ca, leaf.key));
  assert.deepEqual([certificate.subject, served], ["", text(leaf.key, leaf, ca)]);
  await refused(text(leaf.key, leaf, ca), /certificate a\.test expired/, { now: inDays(91) });
});

Deno.test("HAProxy takes what checkPem takes, and refuses RSA of fewer bits as it does", async () => {
  await using pki = await openPki();
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const crtList = paths(haproxy.root).crtList;
  let count = 0;
  async function loaded(pem: string): Promise<boolean> {
    const file = join(haproxy.root, `${++count}.pem`);
    await haproxy.runtime(`new ssl cert ${file}`);
    await haproxy.runtime(`set ssl cert ${file} <<\n${pem}\n`);
    const committed = await haproxy.runtime(`commit ssl cert ${file}`);
    const added = await haproxy.runtime(`add ssl crt-list ${crtList} ${file}`);
    return committed.includes("Success!") && added.includes("Success!");
  }
  for (const key of ["ec", "P-384", "P-521", "ed25519", "rsa:2048"] as const) {
    const { root, ca, leaf } = await family(pki, { key });
    assert.ok(await loaded((await check(text(leaf.key, root, ca, leaf))).text), key);
  }
  const weak = await pki.issue(["a.test"], { key: "rsa:1024" });
  const weakRoot = await pki.issue(["root.test"], { key: "rsa:1024" });
  const weakly = await pki.issue(["a.test"], { by: weakRoot });
  for (const { pem } of [weak, weakly]) assert.ok(!await loaded(pem));
});
