/** Fuzz: whatever HAProxy says, its reader answers with data or refuses it in its own words. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Command } from "../../lib/runtime/encode.ts";
import { frameReader } from "../../lib/runtime/frames.ts";
import {
  parseGetMap,
  parseInfo,
  parseMap,
  parseMaps,
  parseServersState,
  parseStat,
} from "../../lib/runtime/parse.ts";
import {
  parseCertificate,
  parseCertificateNames,
  parseCrtList,
} from "../../lib/runtime/parse_ssl.ts";
import { processOf } from "../../lib/runtime/process.ts";
import { readReply } from "../../lib/runtime/replies.ts";
import { parseMessages } from "../../lib/supervisor/host/messages.ts";
import { fuzz, refusedBy, textsNear } from "../support/evidence/fuzz.ts";
import { SERVERS_STATE } from "../support/evidence/samples.ts";

const REPLIES = [
  ...SERVERS_STATE,
  "0 (/opt/haproxy/conf/domains.map) pattern loaded from file '/x' used by map at a.cfg:1\n",
  "0x55d0 a.test pool_1\n0x55d1 .a.test pool_2\n",
  'type=str, case=sensitive, found=yes, idx=tree, key="a.test", value="pool_1", type="str"\n',
  '# pxname,svname,qcur,status,\nfe,FRONTEND,,OPEN,\npool_1,pool_1_1,0,"UP, ""x""",\n',
  "Name: HAProxy\nVersion: 3.2.1\nPid: 12\nStart_time_sec: 5\nUptime_sec: 7\nStopping: 0\n",
  "Filename: /a.pem\nStatus: Used\nSerial: 0A\nnotAfter: Nov 27 02:54:04 2036 GMT\nSHA1 FingerPrint: AB\n",
  "# /l.txt\n/a.pem:1 [alpn h2\0] a.test *.a.test\n/b.pem:2\n",
  "# transaction\n*/a.pem\n# filename\n/b.pem\n",
];

Deno.test("replies of the Runtime API become data, or SyntaxError", () =>
  fuzz(
    { name: "replies", inputs: 15_000 },
    textsNear(REPLIES, ["# ", "[3]: ", ",", '"', ": "]),
    (text) => {
      for (
        const parse of [
          parseServersState,
          parseMaps,
          parseMap,
          parseGetMap,
          parseStat,
          (text: string) => processOf(parseInfo(text)),
          parseCertificate,
          parseCertificateNames,
          parseCrtList,
          (text: string) => readReply({ line: "x", expects: "address" } as Command, text),
        ]
      ) {
        try {
          parse(text);
        } catch (cause) {
          refusedBy(cause, SyntaxError);
        }
      }
    },
  ));

Deno.test("replies arrive whole and in order, however they are cut, in both framings", () => {
  const reply = fc.oneof(
    fc.constant(""),
    fc.stringMatching(/^[!-~][ -~]{0,20}(\n[!-~][ -~]{0,20}){0,3}$/).filter((text) =>
      !text.startsWith("+ ") && !text.startsWith(">")
    ),
  );
  const cuts = fc.array(fc.nat(40), { minLength: 1, maxLength: 8 });
  return fuzz(
    { name: "frames", inputs: 10_000 },
    fc.record({
      replies: fc.array(reply, { minLength: 1, maxLength: 6 }),
      cuts,
      prompt: fc.constantFrom("", "> "),
    }),
    ({ replies, cuts, prompt }) => {
      const wire = `\n${prompt}` +
        replies.map((text) => `${text}${text && "\n"}\n${prompt}`).join("");
      const reader = frameReader();
      const seen: string[] = [];
      for (let at = 0, turn = 0; at < wire.length; turn++) {
        const length = cuts[turn % cuts.length] + 1;
        reader.push(wire.slice(at, at + length));
        at += length;
        for (let next = reader.next(); next !== undefined; next = reader.next()) seen.push(next);
      }
      assert.deepEqual(seen, ["", ...replies]);
    },
  );
});

Deno.test("bytes that are no HAProxy's never loop and never become a reply of somebody else's", () =>
  fuzz(
    { name: "frames of strangers", inputs: 5_000 },
    fc.array(fc.string({ unit: "binary" }), { maxLength: 5 }),
    (chunks) => {
      const reader = frameReader();
      try {
        for (const chunk of chunks) {
          reader.push(chunk);
          while (reader.next() !== undefined);
        }
      } catch (cause) {
        refusedBy(cause, SyntaxError);
      }
    },
  ));

Deno.test("what HAProxy says about its configuration becomes messages without control characters", () =>
  fuzz(
    { name: "haproxy -c", inputs: 5_000 },
    textsNear([
      "[NOTICE]   (1) : haproxy version is 3.2\n[ALERT]    (1) : config : parsing [haproxy.cfg:10] : unknown keyword 'x'\n" +
      "  | more\n[WARNING]  (1) : config : for bind '::1:443' at [a.cfg:3]\n",
    ], ["[ALERT] (1) : ", "\x1b[31m", ":1]"]),
    (text) => {
      const { errors, warnings } = parseMessages(text);
      for (const { message } of [...errors, ...warnings]) {
        // deno-lint-ignore no-control-regex -- those are what it is about
        assert.doesNotMatch(message, /[\0-\x08\x0b-\x1f\x7f-\x9f]/);
      }
    },
  ));
