import assert from "node:assert/strict";
import fc from "fast-check";
import type { AgentError } from "../../lib/errors.ts";
import {
  type CertificateRecord,
  parseCertificatesFile,
  renderCertificatesFile,
  withoutDomain,
  withRecord,
} from "../../lib/state/certificates_file.ts";

const FILE = "/opt/haproxy/conf/certificates.json";
const domains = (text: string) => parseCertificatesFile(text, FILE).domains;

Deno.test("domains are read in the one spelling of each, each once", () => {
  assert.deepEqual(
    domains('{"domains": ["example.com", "Example.COM.", "münchen.example", "b.test"]}'),
    ["example.com", "xn--mnchen-3ya.example", "b.test"],
  );
});

Deno.test("the second key is there or not", () => {
  assert.deepEqual(domains('{"certificates": {}}'), []);
  assert.deepEqual(domains("{}"), []);
});

const RECORDS: ReadonlyMap<string, CertificateRecord> = new Map([
  ["a.test", { client: "none", names: ["a.test"] }],
  ["b.test", {
    client: "builtin",
    names: ["b.test", "*.b.test"],
    ca: "https://ca.test/directory",
    ordered: "AB",
    window: {
      certificate: "AB",
      start: "2026-12-01T00:00:00Z",
      end: "2026-12-03T00:00:00Z",
      pick: 0.25,
      askAgainAt: "2026-11-26T06:00:00Z",
      explanationUrl: "https://ca.test/why",
    },
    last: { at: "2026-11-25T12:00:00Z", code: "ACME", message: "no" },
    failures: 2,
    nextTry: "2026-11-25T14:00:00Z",
  }],
]);

Deno.test("what is written is read back as it was", () => {
  const file = { domains: ["a.test", "b.test"], records: RECORDS };
  assert.deepEqual(parseCertificatesFile(renderCertificatesFile(file), FILE), file);
});

Deno.test("withRecord serves a domain where that is said, and keeps what is known without a new record", () => {
  const none = { domains: [], records: new Map() };
  const record = RECORDS.get("a.test")!;
  assert.deepEqual(withRecord(none, "a.test", record, false).domains, []);
  const served = withRecord(none, "a.test", record, true);
  assert.deepEqual(served, { domains: ["a.test"], records: new Map([["a.test", record]]) });
  assert.deepEqual(withRecord(served, "a.test", undefined, true), served);
  assert.deepEqual(withoutDomain(served, "a.test"), none);
});

for (
  const [record, place] of [
    ["1", '"a.test"]'],
    ['{"names": []}', '"a.test"].client'],
    ['{"client": "certbot", "names": []}', '"a.test"].client'],
    [
      '{"client": "none", "names": [], "last": {"at": "yesterday", "code": "OK"}}',
      '"a.test"].last.at',
    ],
    ['{"client": "none", "names": [], "note": "mine"}', '"a.test"]'],
  ]
) {
  Deno.test(`the record ${record} is STATE_CORRUPT, with its place`, () => {
    assert.throws(
      () => parseCertificatesFile(`{"certificates": {"a.test": ${record}}}`, FILE),
      ({ code, message }: AgentError) =>
        code === "STATE_CORRUPT" && message.startsWith(`${FILE}, certificates[${place}: `),
    );
  });
}

for (
  const [text, place] of [
    ["", "the whole"],
    ["[]", "the whole"],
    ["null", "the whole"],
    ['{"domains": ["a.test"]', "line 1, column 23"],
    ['{\n  "domains": [,]\n}', "line 2, column 15"],
    ['{"domains": "a.test"}', "domains"],
    ['{"domains": {"a.test": 1}}', "domains"],
    ['{"domains": [1]}', "domains[0]"],
    ['{"domains": ["a.test", null]}', "domains[1]"],
    ['{"domains": ["a.test", "../b.test"]}', "domains[1]"],
    ['{"domains": ["10.0.0.1"]}', "domains[0]"],
    ['{"domains": ["*.a.test"]}', "domains[0]"],
    ['{"domains": ["localhost"]}', "domains[0]"],
    ['{"domains": [], "certificates": []}', "certificates"],
    ['{"domain": []}', "the whole"],
  ]
) {
  Deno.test(`${JSON.stringify(text)} is STATE_CORRUPT at ${place}`, () =>
    assert.throws(() => domains(text), (error: AgentError) => {
      assert.equal(error.code, "STATE_CORRUPT");
      assert.ok(error.message.startsWith(`${FILE}, ${place}: `), error.message);
      return true;
    }));
}

Deno.test("no text gives a domain that could name a file elsewhere", () => {
  const name = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      "..",
      "/etc/passwd",
      "a/../b.test",
      "a.test/",
      "a\0.test",
      ".a.test",
      "a..test",
    ),
    fc.jsonValue(),
  );
  fc.assert(fc.property(fc.array(name), (names) => {
    let read;
    try {
      read = domains(JSON.stringify({ domains: names }));
    } catch (error) {
      assert.equal((error as AgentError).code, "STATE_CORRUPT");
      return;
    }
    for (const each of read) assert.match(each, /^[a-z0-9]([a-z0-9-]*[.a-z0-9])*$/);
  }));
});
