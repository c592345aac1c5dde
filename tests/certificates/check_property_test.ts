import assert from "node:assert/strict";
import fc from "fast-check";
import { checkPem, type UsablePem } from "../../lib/certificates/check.ts";
import type { AgentError } from "../../lib/errors.ts";
import { setCertificate } from "../../lib/runtime/commands.ts";
import { assertNoKey, openPki } from "../support/pki.ts";

const FILE = "/opt/haproxy/certs/a.test.pem";
const BLOCK = /-----BEGIN [^-]+-----\n[^-]+-----END [^-]+-----\n/g;
const check = (text: string) => checkPem(text, { file: FILE, domain: "a.test" });

/** Key, leaf, CA and root: the signatures of leaf and CA can be verified. */
const [PEM, GOOD] = await goodPem();

async function goodPem(): Promise<[string, UsablePem]> {
  await using pki = await openPki();
  const root = await pki.issue(["root.test"]);
  const ca = await pki.issue(["ca.test"], { by: root, ca: true });
  const { pem } = await pki.issue(["a.test", "*.a.test"], { by: ca });
  return [pem, await check(pem)];
}

/** The same certificate, or CERTIFICATE. */
async function sameOrRefused(text: string) {
  try {
    const { certificate } = await check(text);
    assert.deepEqual(certificate, GOOD.certificate);
  } catch (error) {
    if ((error as AgentError).code !== "CERTIFICATE") throw error;
    const { stack, cause } = error as AgentError;
    assertNoKey(JSON.stringify((error as AgentError).toData()) + stack + cause, PEM);
  }
}

Deno.test("a good PEM cut anywhere is refused, or the same certificate", async () => {
  await fc.assert(fc.asyncProperty(
    fc.nat(PEM.length),
    fc.nat(PEM.length),
    (a, b) => sameOrRefused(PEM.slice(Math.min(a, b), Math.max(a, b))),
  ));
  for (let end = PEM.length - 2; end > PEM.length - 200; end--) {
    await assert.rejects(check(PEM.slice(0, end)), { code: "CERTIFICATE" }, `at ${end}`);
  }
});

Deno.test("a good PEM with other characters is refused, or the same certificate", async () => {
  const changes = fc.array(
    fc.tuple(
      fc.nat(PEM.length - 1),
      fc.oneof(fc.constantFrom(..."AQgw+/=-\n B"), fc.string({ unit: "binary", maxLength: 2 })),
    ),
    { minLength: 1, maxLength: 3 },
  );
  await fc.assert(
    fc.asyncProperty(changes, (list) => {
      let text = PEM;
      for (const [at, piece] of list) text = text.slice(0, at) + piece + text.slice(at + 1);
      return sameOrRefused(text);
    }),
    { numRuns: 500 },
  );
});

Deno.test("a bit turned anywhere in a certificate whose issuer is there is noticed", async () => {
  const [key, ...certificates] = PEM.match(BLOCK)!;
  const ders = certificates.map((pem) =>
    Uint8Array.fromBase64(pem.replaceAll(/-----[^-]+-----/g, ""))
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(1), fc.nat(), fc.nat(7), async (which, position, bit) => {
      const text = ders.map((der, i) => {
        const at = position % der.length;
        const bytes = i === which ? der.with(at, der[at] ^ 1 << bit) : der;
        return `-----BEGIN CERTIFICATE-----\n${bytes.toBase64()}\n-----END CERTIFICATE-----\n`;
      });
      await assert.rejects(check(key + text.join("")), { code: "CERTIFICATE" });
    }),
    { numRuns: 500 },
  );
});

Deno.test("order, blank lines, line ends and text between the blocks change nothing", async () => {
  const blocks = PEM.match(BLOCK)!;
  const order = fc.shuffledSubarray([...blocks], { minLength: blocks.length });
  const between = fc.array(
    fc.constantFrom("", " ", "\t", "subject=CN = a.test", "Bag Attributes", "# é", "-- x --"),
    { maxLength: 3 },
  );
  await fc.assert(fc.asyncProperty(
    order,
    fc.array(between, { minLength: 5, maxLength: 5 }),
    fc.array(fc.constantFrom("", "\n", "\n \n"), { minLength: 7, maxLength: 7 }),
    fc.constantFrom("\n", "\r\n"),
    async (order, texts, blanks, end) => {
      let line = 0;
      const text = order.map((block, i) =>
        [...texts[i], block.replace(/\n(?!$)/g, () => `\n${blanks[line++ % 7]}`)].join("\n")
      ).join("").replaceAll("\n", end);
      const read = await check(text);
      assert.deepEqual(read, GOOD);
      setCertificate("/a.pem", read.text);
    },
  ));
});

Deno.test("whatever the text, it is CERTIFICATE or can be sent to HAProxy", async () => {
  const pieces = fc.array(fc.oneof(
    fc.constantFrom(...PEM.match(BLOCK)!),
    fc.constantFrom(...PEM.split("\n"), "\n", "-----BEGIN CERTIFICATE-----", "-----END"),
    fc.string({ unit: "binary", maxLength: 5 }),
  ));
  await fc.assert(fc.asyncProperty(pieces, async (pieces) => {
    try {
      setCertificate("/a.pem", (await check(pieces.join("\n"))).text);
    } catch (error) {
      assert.equal((error as AgentError).code, "CERTIFICATE", String(error));
    }
  }));
});
