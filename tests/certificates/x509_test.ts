import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { type Bytes, type Element, elements, only, TAG } from "../../lib/certificates/der.ts";
import { readCertificate } from "../../lib/certificates/x509.ts";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import { type IssueOptions, openPki, type Pki } from "../support/pki.ts";
import { startHaproxy } from "../support/haproxy.ts";

const derOf = (pem: string) =>
  Uint8Array.fromBase64(/-----BEGIN CERTIFICATE-----([^-]+)/.exec(pem)![1]);
const read = (pem: string) => readCertificate(derOf(pem));

/** What openssl prints of a certificate, in our form. */
async function openssl(pki: Pki, certificate: string) {
  await pki.write("read.crt", certificate);
  const text = await pki.openssl(
    ...["x509", "-in", "read.crt", "-noout", "-serial", "-subject", "-issuer", "-startdate"],
    ...["-enddate", "-dateopt", "iso_8601", "-nameopt"],
    "RFC2253,sep_comma_plus_space,utf8,-esc_msb",
  );
  const field = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(text)![1];
  const fingerprint = async (hash: string) =>
    (await pki.openssl("x509", "-in", "read.crt", "-noout", "-fingerprint", `-${hash}`))
      .trim().replace(/^.*=/, "").replaceAll(":", "");
  return {
    subject: field("subject"),
    issuer: field("issuer"),
    serial: field("serial"),
    notBefore: field("notBefore").replace(" ", "T"),
    notAfter: field("notAfter").replace(" ", "T"),
    sha1: await fingerprint("sha1"),
    sha256: await fingerprint("sha256"),
  };
}

const NAMES = ["a.test", "*.a.test"];
/** Key type, names asked for, how it is issued, and the names that are read where they are others. */
const KINDS: readonly [string, string[], IssueOptions, string[]?][] = [
  ["ECDSA P-256", NAMES, {}],
  ["ECDSA P-384", NAMES, { key: "P-384" }],
  ["ECDSA P-521", NAMES, { key: "P-521" }],
  ["RSA 2048", NAMES, { key: "rsa:2048" }],
  ["RSA 3072", NAMES, { key: "rsa:3072", args: ["-sha384"] }],
  ["Ed25519", NAMES, { key: "ed25519" }],
  ["ECDSA P-256", ["A.Test", "xn--BCHER-kva.test"], {}, ["a.test", "xn--bcher-kva.test"]],
  [
    "ECDSA P-256",
    ["a.test", "IP:127.0.0.1", "IP:2001:db8::1", "IP:::1"],
    {},
    ["a.test", "127.0.0.1", "2001:db8::1", "::1"],
  ],
  ["ECDSA P-256", [], { subject: "/O=Example/CN=Old.test" }, ["old.test"]],
  ["ECDSA P-256", [], { subject: "/O=Example/CN=Not a name" }, []],
  ["ECDSA P-256", NAMES, { subject: "/" }],
  ["ECDSA P-256", ["b.test"], { subject: "/CN=a.test" }, ["b.test"]],
  ["ECDSA P-256", NAMES, { subject: '/C=DE/O=Müller, Söhne + Co \\"x\\"/OU= #1 /CN=ä' }],
  ["ECDSA P-256", NAMES, { subject: "/DC=test/UID=7/O=a+CN=b/emailAddress=a@b.test" }],
  ["ECDSA P-256", NAMES, { args: ["-set_serial", "0x0abc"] }],
  ["ECDSA P-256", NAMES, { args: ["-set_serial", "0xff01"] }],
  ["ECDSA P-256", NAMES, { args: ["-set_serial", "1"] }],
  ["ECDSA P-256", NAMES, { days: 30_000 }], // after 2049 the time has another form
];

Deno.test("readCertificate says what openssl says", async (t) => {
  await using pki = await openPki();
  for (const [keyType, names, options, expected = names] of KINDS) {
    await t.step(`${keyType} ${names} ${JSON.stringify(options)}`, async () => {
      const { certificate } = await pki.issue(names, options);
      const { ariId: _, ...info } = await read(certificate);
      const said = await openssl(pki, certificate);
      assert.deepEqual(info, { ...said, names: expected, keyType, selfIssued: true, ca: true });
    });
  }
});

Deno.test("readCertificate tells a leaf, a CA and a root apart", async () => {
  await using pki = await openPki();
  const root = await pki.issue(["root.test"]);
  const ca = await pki.issue(["ca.test"], { by: root, ca: true });
  const leaf = await pki.issue(["a.test"], { by: ca });
  const own = { certificate: await selfSignedPem() };
  const said = await Promise.all([root, ca, leaf, own].map(async ({ certificate }) => {
    const { selfIssued, ca, issuer } = await read(certificate);
    return [selfIssued, ca, issuer];
  }));
  assert.deepEqual(said, [
    [true, true, "CN=root.test"],
    [false, true, "CN=root.test"],
    [false, false, "CN=ca.test"],
    [true, false, "CN=haproxy-mcp.invalid"],
  ]);
});

Deno.test("ariId is that of RFC 9773's example (4.1)", async () => {
  await using pki = await openPki();
  const keyId = "69:88:5B:6B:87:46:40:41:E1:B3:7B:84:7B:A0:AE:2C:DE:01:C8:D4";
  const ca = await pki.issue(["ca.test"], { args: ["-addext", `subjectKeyIdentifier=${keyId}`] });
  const leaf = await pki.issue(["a.test"], { by: ca, args: ["-set_serial", "0x87654321"] });
  assert.equal((await read(leaf.certificate)).ariId, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
  assert.equal((await read(await selfSignedPem())).ariId, undefined);
});

Deno.test("serial, times and fingerprint are those of HAProxy's show ssl cert", async () => {
  await using pki = await openPki();
  for (const serial of ["0xf0abc", "0x80"]) {
    const { pem, certificate } = await pki.issue(["a.test"], { args: ["-set_serial", serial] });
    await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
    const file = join(haproxy.root, "x.pem");
    for (const command of [`new ssl cert ${file}`, `set ssl cert ${file} <<\n${pem}\n`]) {
      await haproxy.runtime(command);
    }
    await haproxy.runtime(`commit ssl cert ${file}`);
    const shown = await haproxy.runtime(`show ssl cert ${file}`);
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(shown)?.[1];
    const info = await read(certificate);
    assert.deepEqual(
      [info.serial, info.sha1, Date.parse(info.notBefore), Date.parse(info.notAfter)],
      [
        field("Serial"),
        field("SHA1 FingerPrint"),
        Date.parse(field("notBefore")!),
        Date.parse(field("notAfter")!),
      ],
    );
  }
});

Deno.test("readCertificate refuses a certificate that lacks its last elements", async () => {
  const whole = only(derOf(await selfSignedPem()));
  const parts = elements(whole.content);
  for (let kept = 0; kept < parts.length; kept++) {
    await assert.rejects(() => readCertificate(sequence(parts.slice(0, kept))), SyntaxError);
  }
  const [signed, ...rest] = parts;
  const fields = elements(signed.content);
  for (let kept = 0; kept < 7; kept++) {
    const shorter = only(sequence(fields.slice(0, kept)));
    await assert.rejects(() => readCertificate(sequence([shorter, ...rest])), SyntaxError);
  }
});

/** A DER SEQUENCE, its length in two octets. */
function sequence(parts: readonly Element[]): Bytes {
  const content = parts.flatMap(({ der }) => [...der]);
  return Uint8Array.from([
    TAG.sequence,
    0x82,
    content.length >> 8,
    content.length & 255,
    ...content,
  ]);
}

Deno.test("whatever the bytes, readCertificate reads them or throws SyntaxError", async () => {
  const der = derOf(await selfSignedPem());
  const mutated = fc.array(
    fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 0, max: 255 })),
    { minLength: 1, maxLength: 4 },
  ).map((changes) => {
    const bytes = der.slice();
    for (const [at, octet] of changes) bytes[at] = octet;
    return bytes;
  });
  const any = fc.uint8Array({ maxLength: 64 }).map((bytes) => Uint8Array.from(bytes));
  const cut = fc.nat(der.length - 1).map((length) => der.slice(0, length));
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, any, cut), async (bytes) => {
      try {
        const { names, notAfter } = await readCertificate(bytes);
        assert.ok(names.every((name) => /^[!-~]+$/.test(name)));
        assert.ok(!Number.isNaN(Date.parse(notAfter)));
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
