import assert from "node:assert/strict";
import type { PemBlock } from "../../lib/certificates/pem.ts";
import { readPrivateKey } from "../../lib/certificates/private_key.ts";
import { parseX509 } from "../../lib/certificates/x509.ts";
import { assertNoKey, openPki, type Pki } from "../support/pki.ts";

const blocks = (pem: string): PemBlock[] =>
  Array.from(
    pem.matchAll(/-----BEGIN ([^-]+)-----([^-]+)/g),
    ([, label, base64]) => ({ label, der: Uint8Array.fromBase64(base64) }),
  );
const publicKey = async (certificate: string) =>
  (await parseX509(blocks(certificate)[0].der)).publicKey;

/** The same key in every form that openssl writes it in. */
async function formsOf(pki: Pki, key: string): Promise<string[]> {
  await pki.write("key", key);
  // It has one form alone.
  if ((await pki.openssl("pkey", "-in", "key", "-noout", "-text")).startsWith("ED25519")) {
    return [key];
  }
  const traditional = await pki.openssl("pkey", "-in", "key", "-traditional");
  if (!traditional.includes("EC PRIVATE KEY")) return [key, traditional];
  return [key, traditional, await pki.openssl("ec", "-in", "key", "-no_public")];
}

Deno.test("a key fits its certificate and no other, in all its forms", async (t) => {
  await using pki = await openPki();
  const kinds = ["ec", "P-384", "P-521", "ed25519", "rsa:2048"] as const;
  const others = await Promise.all(
    kinds.map(async (key) => publicKey((await pki.issue(["b.test"], { key })).certificate)),
  );
  for (const kind of kinds) {
    await t.step(kind, async () => {
      const { key, certificate } = await pki.issue(["a.test"], { key: kind });
      const own = await publicKey(certificate);
      for (const form of await formsOf(pki, key)) {
        const [block] = blocks(form).filter(({ label }) => label.endsWith("KEY"));
        // Deno 2.6 computes nothing on this curve.
        if (kind === "P-521" && block.der.length < 200) {
          await assert.rejects(readPrivateKey(block), /lacks its public half/);
          continue;
        }
        const { fits } = await readPrivateKey(block);
        assert.equal(fits(own), true, block.label);
        assert.deepEqual(others.map(fits), kinds.map(() => false), block.label);
      }
    });
  }
});

Deno.test("RSA of more than 4096 bits fits too", async () => {
  await using pki = await openPki();
  const { key, certificate } = await pki.issue(["a.test"], { key: "rsa:4104" });
  const { fits } = await readPrivateKey(blocks(key)[0]);
  const other = await pki.issue(["a.test"]);
  assert.equal(fits(await publicKey(certificate)), true);
  assert.equal(fits(await publicKey(other.certificate)), false);
});

Deno.test("a private half that is not that of the public one fits nothing, or is unreadable", async () => {
  await using pki = await openPki();
  for (const kind of ["ec", "ed25519", "rsa:2048"] as const) {
    const { key, certificate } = await pki.issue(["a.test"], { key: kind });
    const own = await publicKey(certificate);
    const [{ label, der }] = blocks(key);
    // Of RSA the private exponent, else what the key is made of.
    const at = { "ec": 40, "ed25519": 20, "rsa:2048": 310 }[kind];
    const damaged = der.with(at, der[at] ^ 4) as typeof der;
    const fits = await readPrivateKey({ label, der: damaged })
      .then((read) => read.fits(own), (error) => error instanceof SyntaxError ? false : error);
    assert.equal(fits, false, kind);
  }
});

Deno.test("a key that can't be read is an error that says nothing of it", async () => {
  await using pki = await openPki();
  const { key } = await pki.issue(["a.test"]);
  await pki.write("key", key);
  const explicit = await pki.openssl("ec", "-in", "key", "-param_enc", "explicit");
  const der = blocks(key)[0].der;
  const unreadable: readonly PemBlock[] = [
    ...blocks(await pki.openssl("genpkey", "-algorithm", "x25519")),
    ...blocks(explicit).filter(({ label }) => label === "EC PRIVATE KEY"),
    { label: "RSA PRIVATE KEY", der },
    { label: "EC PRIVATE KEY", der },
    { label: "DSA PRIVATE KEY", der },
    { label: "PRIVATE KEY", der: der.slice(0, -1) },
    { label: "PRIVATE KEY", der: new Uint8Array() },
    { label: "PRIVATE KEY", der: new Uint8Array(20_000) },
  ];
  for (const block of unreadable) {
    await assert.rejects(readPrivateKey(block), (error: Error) => {
      assert.ok(error instanceof SyntaxError, block.label);
      assert.match(error.message, /^its private key can't be read/);
      assertNoKey(`${error.stack}${error.cause}`, key, explicit);
      return true;
    });
  }
});
