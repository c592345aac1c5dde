import assert from "node:assert/strict";
import fc from "fast-check";
import { readPem } from "../../lib/certificates/pem.ts";
import type { AgentError } from "../../lib/errors.ts";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import { setCertificate } from "../../lib/runtime/commands.ts";
import { assertNoKey, openPki } from "../support/pki.ts";

const FILE = "/opt/haproxy/certs/a.test.pem";

const refused = (text: string, why: RegExp) =>
  assert.throws(() => readPem(text, FILE), (error: AgentError) => {
    assert.equal(error.code, "CERTIFICATE");
    assert.ok(error.message.startsWith(`${FILE} can't be used: `), error.message);
    assert.match(error.message, why);
    assertNoKey(JSON.stringify(error.toData()) + error.stack, text);
    return true;
  });

Deno.test("the fingerprint is openssl's, for EC and RSA, with and without a chain", async () => {
  await using pki = await openPki();
  const root = await pki.issue(["root.test"]);
  const ca = await pki.issue(["ca.test"], { by: root });
  for (const key of ["ec", "rsa:2048"] as const) {
    const leaf = await pki.issue(["a.test"], { by: ca, key });
    const { fingerprint, chain, text } = readPem(leaf.pem, FILE);
    assert.deepEqual([fingerprint, chain, text], [leaf.fingerprint, 2, leaf.pem]);
  }
  const { fingerprint, chain } = readPem(root.pem, FILE);
  assert.deepEqual([fingerprint, chain], [root.fingerprint, 0]);
});

Deno.test("the first certificate is the one that counts, wherever the key stands", async () => {
  await using pki = await openPki();
  const ca = await pki.issue(["ca.test"]);
  const leaf = await pki.issue(["a.test"], { by: ca });
  const { certificate, key } = leaf;
  for (const text of [certificate + ca.certificate + key, certificate + key + ca.certificate]) {
    assert.equal((readPem(text, FILE)).fingerprint, leaf.fingerprint);
  }
  const wrong = readPem(key + ca.certificate + certificate, FILE);
  assert.equal(wrong.fingerprint, ca.fingerprint);
});

Deno.test("whatever stands between and in the blocks, the text is the same", async () => {
  const pem = await selfSignedPem();
  const clean = (readPem(pem, FILE)).text;
  assert.equal(clean, pem);
  const blank = fc.stringMatching(/^( |\t){0,2}$/);
  const between = fc.oneof(
    blank,
    fc.constantFrom("subject=CN = a.test", "Bag Attributes", "# x", "é"),
  );
  fc.assert(fc.property(
    fc.array(between),
    fc.array(blank, { minLength: 8, maxLength: 8 }),
    fc.constantFrom("\n", "\r\n"),
    (texts, blanks, end) => {
      let i = 0;
      const lines = pem.split("\n").flatMap((line) =>
        line.startsWith("-----BEGIN") ? [...texts, line] : [line + blanks[i++ % 8]]
      );
      const read = readPem(lines.join(end), FILE);
      assert.equal(read.text, clean);
      setCertificate("/a.pem", read.text);
    },
  ));
});

Deno.test("base64 in lines of any length, and blank lines within a block, are brought to lines of 64", async () => {
  const pem = await selfSignedPem();
  for (const length of [1, 3, 76, 10_000]) {
    const other = pem.replace(
      /^(?!-)[^]*?(?=\n-)/gm,
      (body) => body.replaceAll("\n", "").match(new RegExp(`.{1,${length}}`, "g"))!.join("\n\n"),
    );
    assert.equal((readPem(other, FILE)).text, pem, `lines of ${length}`);
  }
});

Deno.test("parameters of DH are kept, those of a curve and requests are left out", async () => {
  await using pki = await openPki();
  const { pem } = await pki.issue(["a.test"]);
  const curve = await pki.openssl("ecparam", "-name", "prime256v1");
  assert.match(curve, /EC PARAMETERS/);
  assert.equal((readPem(curve + pem, FILE)).text, pem);
  const dh = await pki.openssl("dhparam", "-outform", "PEM", "-dsaparam", "512");
  assert.equal((readPem(pem + dh, FILE)).text, pem + dh);
});

Deno.test("keys in all forms that HAProxy reads are keys", async () => {
  await using pki = await openPki();
  const ec = await pki.issue(["a.test"]), rsa = await pki.issue(["b.test"], { key: "rsa:2048" });
  await pki.write("ec", ec.key);
  await pki.write("rsa", rsa.key);
  const sec1 = await pki.openssl("ec", "-in", "ec");
  const pkcs1 = await pki.openssl("rsa", "-in", "rsa", "-traditional");
  assert.match(sec1, /BEGIN EC PRIVATE KEY/);
  assert.match(pkcs1, /BEGIN RSA PRIVATE KEY/);
  assert.equal((readPem(sec1 + ec.certificate, FILE)).text, sec1 + ec.certificate);
  assert.equal((readPem(pkcs1 + rsa.certificate, FILE)).text, pkcs1 + rsa.certificate);
});

Deno.test("what HAProxy could not serve is CERTIFICATE, with the file's name and nothing of its content", async () => {
  await using pki = await openPki();
  const { key, certificate, pem } = await pki.issue(["a.test"]);
  await pki.write("key", key);
  await pki.write("crt", certificate);
  const old = await pki.openssl("ec", "-in", "key", "-aes128", "-passout", "pass:x");
  const pkcs8 = await pki.openssl("pkcs8", "-topk8", "-in", "key", "-passout", "pass:x");
  const trusted = await pki.openssl("x509", "-in", "crt", "-trustout");
  await refused("", /no certificate/);
  await refused("hello\n", /no certificate/);
  await refused(key, /no certificate/);
  await refused(certificate, /no private key/);
  await refused(old + certificate, /encrypted private key/);
  await refused(pkcs8 + certificate, /encrypted private key/);
  await refused(key + trusted, /TRUSTED CERTIFICATE/);
  await refused(pem.slice(0, -30), /block 2, CERTIFICATE, has no end/);
  await refused(pem.replace(/\n[^-\n]{20}/, "\n"), /block 1, PRIVATE KEY, is broken/);
  await refused(pem.replace("-----END PRIVATE KEY-----\n", ""), /block 1, PRIVATE KEY, is broken/);
  await refused(pem.replace("MII", "M!I"), /is broken/);
  await refused(key + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", /block 2/);
  await refused(key + "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", /block 2/);
});

Deno.test("any text is read or refused, and what is read can be sent", async () => {
  const pem = await selfSignedPem();
  const pieces = fc.array(fc.oneof(
    fc.constantFrom(...pem.split("\n"), "\n", "%END%", "-----BEGIN CERTIFICATE-----", "-----END"),
    fc.string({ unit: "binary", maxLength: 5 }),
  ));
  fc.assert(fc.property(pieces, fc.constantFrom("", pem), (lines, prefix) => {
    let text;
    try {
      ({ text } = readPem(prefix + lines.join("\n"), FILE));
    } catch (error) {
      assert.equal((error as AgentError).code, "CERTIFICATE");
      return;
    }
    setCertificate("/a.pem", text);
  }));
});
