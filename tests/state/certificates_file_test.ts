import assert from "node:assert/strict";
import fc from "fast-check";
import type { AgentError } from "../../lib/errors.ts";
import { parseCertificatesFile } from "../../lib/state/certificates_file.ts";

const FILE = "/opt/haproxy/conf/certificates.json";
const domains = (text: string) => parseCertificatesFile(text, FILE).domains;

Deno.test("domains are read in the one spelling of each, each once", () => {
  assert.deepEqual(
    domains('{"domains": ["example.com", "Example.COM.", "münchen.example", "b.test"]}'),
    ["example.com", "xn--mnchen-3ya.example", "b.test"],
  );
});

Deno.test("the second key is there or not, and whatever it says of a domain is left to who wrote it", () => {
  assert.deepEqual(domains('{"domains": ["a.test"], "certificates": {"a.test": {"ca": 1}}}'), [
    "a.test",
  ]);
  assert.deepEqual(domains('{"certificates": {}}'), []);
  assert.deepEqual(domains("{}"), []);
});

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
