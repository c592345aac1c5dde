/** Fuzz: whatever a file says, its reader answers with data or refuses it in its own words. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { AgentError } from "../../lib/errors.ts";
import { checkPem } from "../../lib/certificates/check.ts";
import { readPem } from "../../lib/certificates/pem.ts";
import { readCertificate } from "../../lib/certificates/x509.ts";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import {
  parseCertificatesFile,
  renderCertificatesFile,
} from "../../lib/state/certificates_file.ts";
import { parseCrtListFile, renderCrtListLine } from "../../lib/state/crt_list_file.ts";
import { parseJournal } from "../../lib/state/journal.ts";
import { parseMapFile } from "../../lib/state/map_file.ts";
import { parseSavedState } from "../../lib/state/saved_state.ts";
import { renderServerStateFile } from "../../lib/state/server_state_file.ts";
import { parseServersFile, renderServersFile } from "../../lib/state/servers_file.ts";
import { parseTokens } from "../../lib/supervisor/token_file.ts";
import { fuzz, refusedBy, textsNear } from "../support/evidence/fuzz.ts";
import { SERVERS_STATE } from "../support/evidence/samples.ts";

const SHAPE = { poolCount: 9, maxSlots: 4 };
const FILE = "/the/file";

/** Reads it, or is content with a refusal that names the file. */
function read<T>(reader: () => T): T | undefined {
  try {
    return reader();
  } catch (cause) {
    refusedBy(cause, AgentError);
    const { code, message } = cause as AgentError;
    assert.match(code, /^(STATE_CORRUPT|CERTIFICATE)$/);
    assert.ok(message.startsWith(FILE), message);
    assert.ok(message.length < 2_000, `${message.length} characters`);
  }
}

const MAP = [
  "# Sites\nexample.com pool_5\n.example.com pool_5\n\nb.test\tpool_2\n",
  "a.test pool_1\r\n  a.test pool_2\n#x\n",
];
const SERVERS = [
  '{\n  "pool_5": {\n    "1": {"ip":"10.0.0.1","http_port":80,"weight":1,"state":"ready"},\n' +
  '    "4": {"ip":"2001:db8::1","http_port":8080,"weight":256,"state":"drain"}\n  },\n' +
  '  "pool_2": {"2": {"ip": "::1", "http_port": 1, "state": "maint"}}\n}\n',
  '{"example.com": {"1": {"ip": "10.0.0.1"}}}',
];
const CERTIFICATES = [
  JSON.stringify(
    {
      domains: ["example.com", "b.test"],
      certificates: {
        "example.com": {
          client: "builtin",
          names: ["example.com", "*.example.com"],
          last: { at: "2026-11-27T00:00:00Z", code: "ACME", message: "no" },
          failures: 2,
          next_try: "2026-11-28T00:00:00Z",
        },
      },
    },
    null,
    2,
  ),
  '{"domains": []}',
];
const LIST = [
  "/opt/haproxy/certs/default.pem\n/opt/haproxy/certs/a.pem a.test *.a.test !b.a.test\n",
  "# one\n/c/a.pem [alpn h2 ssl-min-ver TLSv1.2] a.test\n\n/c/b.pem\t[] b.test\n",
];
const JOURNAL = [
  `${
    JSON.stringify({
      t: "change",
      seq: 3,
      tool: "haproxy_add_domain",
      changes: [{ kind: "map", key: "a.test", before: null, after: "pool_1" }],
    })
  }\n{"t":"done","seqs":[3]}\n`,
];
const JSON_WORDS = [
  '":',
  "{}",
  "[]",
  "null",
  "true",
  "1e999",
  "-1",
  "__proto__",
  "\\u0000",
  '"ip"',
];

Deno.test("domains.map is read, or refused by its line, and read again as it is written", () =>
  fuzz({ name: "domains.map", inputs: 10_000 }, textsNear(MAP, ["pool_1", ".a.test"]), (text) => {
    const file = read(() => parseMapFile(text, FILE));
    if (!file) return;
    file.set("new.test", "pool_9");
    const again = parseMapFile(file.text(), FILE);
    assert.deepEqual([...again.entries()].sort(), [...file.entries()].sort());
  }));

Deno.test("servers.json is read, or refused by its place, and read again as it is written", () =>
  fuzz({ name: "servers.json", inputs: 10_000 }, textsNear(SERVERS, JSON_WORDS), (text) => {
    const backendOf = (key: string) => key === "example.com" ? "pool_5" : undefined;
    const pools = read(() => parseServersFile(text, FILE, SHAPE, backendOf));
    if (!pools) return;
    const written = renderServersFile(pools);
    const again = parseServersFile(written, FILE, SHAPE, () => undefined);
    assert.equal(renderServersFile(again), written);
    // HAProxy ignores the whole of a state file for one bad line.
    for (const line of renderServerStateFile(pools).trimEnd().split("\n").slice(2)) {
      assert.match(line, STATE_LINE);
    }
  }));

const STATE_LINE =
  /^0 pool_[1-9] 0 pool_[1-9]_[1-4] [0-9a-f.:]+ [02] (4|12|5) \d{1,3} 1 0 1 0 3 6 0 0 0 slot\.invalid \d{1,5} - 0 0 - - 0$/;

Deno.test("certificates.json is read, or refused by its place, and read again as it is written", () =>
  fuzz(
    { name: "certificates.json", inputs: 6_000 },
    textsNear(CERTIFICATES, JSON_WORDS),
    (text) => {
      const file = read(() => parseCertificatesFile(text, FILE));
      if (!file) return;
      assert.deepEqual(parseCertificatesFile(renderCertificatesFile(file), FILE), file);
    },
  ));

Deno.test("the crt-list is read, or refused by its line, and read again as it is written", () =>
  fuzz(
    { name: "crt-list", inputs: 10_000 },
    textsNear(LIST, ["[", "]", "[ocsp-update on]"]),
    (text) => {
      const lines = read(() => parseCrtListFile(text, FILE)) ?? [];
      const written = lines.map((line) => `${renderCrtListLine(line)}\n`).join("");
      const entry = ({ path, options, filters }: typeof lines[number]) => ({
        path,
        options,
        filters,
      });
      assert.deepEqual(parseCrtListFile(written, FILE).map(entry), lines.map(entry));
    },
  ));

Deno.test("a saved state file is read, or refused", () =>
  fuzz(
    { name: "saved servers.state", inputs: 8_000 },
    textsNear(SERVERS_STATE, ["pool_1", " ", "-"]),
    (text) => {
      const pools = read(() => parseSavedState(text, FILE, SHAPE));
      if (!pools) return;
      const written = renderServerStateFile(pools);
      assert.deepEqual(parseSavedState(written, FILE, SHAPE), pools);
    },
  ));

Deno.test("the journal is read up to a torn end, or refused by its line", () =>
  fuzz(
    { name: "journal", inputs: 8_000 },
    textsNear(JOURNAL, [...JSON_WORDS, '"seq":9']),
    (text) => {
      const content = read(() => parseJournal(text, FILE));
      if (!content) return;
      const bytes = new TextEncoder().encode(text);
      assert.ok(content.length <= bytes.length);
      // What is cut off was no record: without it the rest is the same.
      const kept = new TextDecoder().decode(bytes.subarray(0, content.length));
      if (!text.includes("\n\n")) assert.deepEqual(parseJournal(kept, FILE), content);
    },
  ));

Deno.test("the token file is read or refused", () =>
  fuzz(
    { name: "mcp-token.env", inputs: 4_000 },
    textsNear(["MCP_TOKEN=abc,def\nMCP_READONLY_TOKEN=xyz\n"], ["=", ",", "MCP_TOKEN="]),
    (text) => void parseTokens(text),
  ));

const PEM = await selfSignedPem();
const DER = Uint8Array.fromBase64(/-----BEGIN CERTIFICATE-----([^-]+)/.exec(PEM)![1]);

Deno.test("a PEM is read, or refused without a word of its content", () =>
  fuzz(
    { name: "PEM", inputs: 4_000 },
    textsNear([PEM, PEM.replace(/\n(?=.)/g, "\n\n")], PEM_WORDS),
    (text) => {
      const pem = read(() => readPem(text, FILE));
      if (!pem) return;
      // One payload: an empty line would end it.
      assert.match(pem.text, /^(?:[!-~][ -~]*\n)+$/);
      assert.deepEqual(readPem(pem.text, FILE).text, pem.text);
    },
  ));

const PEM_WORDS = [
  "-----BEGIN CERTIFICATE-----",
  "-----END CERTIFICATE-----",
  "-----",
  "=",
  "AAAA",
];

Deno.test("a PEM is usable with its key and chain, or refused without a word of its content", () =>
  fuzz(
    { name: "PEM with key and chain", inputs: 1_500 },
    textsNear([PEM], PEM_WORDS),
    async (text) => {
      try {
        await checkPem(text, { file: FILE, domain: "haproxy-mcp.invalid" } as never);
      } catch (cause) {
        refusedBy(cause, AgentError);
        assert.equal((cause as AgentError).code, "CERTIFICATE", String((cause as Error).stack));
      }
    },
  ));

const octet = fc.oneof(
  fc.integer({ min: 0, max: 255 }),
  fc.constantFrom(0, 1, 2, 3, 4, 6, 0x30, 0x31, 0x80, 0x81, 0x82, 0xa0, 0xa3, 0xff),
);

Deno.test("a certificate's DER is read, or refused by SyntaxError", () =>
  fuzz(
    { name: "X.509", inputs: 10_000 },
    fc.array(fc.tuple(fc.nat(DER.length - 1), octet), { minLength: 1, maxLength: 6 }),
    async (changes) => {
      const der = DER.slice();
      for (const [at, value] of changes) der[at] = value;
      try {
        await readCertificate(der);
      } catch (cause) {
        refusedBy(cause, SyntaxError);
      }
    },
  ));
