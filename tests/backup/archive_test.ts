import assert from "node:assert/strict";
import { type Origin, packBackup, unpackBackup } from "../../lib/backup/archive.ts";
import { MAX_FILE } from "../../lib/backup/limits.ts";
import { writeTar } from "../../lib/backup/tar.ts";
import type { AgentError } from "../../lib/errors.ts";

const origin: Origin = {
  made_by: "haproxy-mcp 0.1.0",
  at: "2026-11-27T10:00:00.000Z",
  root: "/opt/haproxy",
  pools: 2,
  slots: 3,
  secrets: false,
};
const bytes = (text: string) => new TextEncoder().encode(text);
const files = new Map([["conf/domains.map", bytes("a.test pool_1\n")], [
  "conf/servers.json",
  bytes("{}\n"),
]]);
const time = 0;

/** An archive whose manifest was edited. */
function edited(edit: (manifest: Record<string, unknown>) => unknown): Uint8Array {
  const whole = packBackup({ manifest: origin, files });
  const { manifest } = unpackBackup(whole, "a.tar");
  const content = bytes(JSON.stringify(edit(structuredClone(manifest) as Record<string, unknown>)));
  const others = Array.from(files, ([name, content]) => ({ name, content }));
  return writeTar([{ name: "manifest.json", content }, ...others], { time });
}

function refusal(archive: Uint8Array): Pick<AgentError, "code" | "message" | "hint"> {
  try {
    unpackBackup(archive, "a.tar");
  } catch (cause) {
    return cause as AgentError;
  }
  throw new Error("it was taken");
}

Deno.test("unpackBackup gives back what packBackup has packed", () => {
  const { manifest, files: read } = unpackBackup(packBackup({ manifest: origin, files }), "a.tar");
  assert.deepEqual({ ...manifest, files: undefined, version: undefined }, {
    ...origin,
    files: undefined,
    version: undefined,
  });
  assert.deepEqual([...read], [...files]);
});

Deno.test("unpackBackup refuses a file that is not what the manifest says, and names it", () => {
  const whole = packBackup({ manifest: origin, files });
  const at = new TextDecoder("latin1").decode(whole).indexOf("a.test pool_1");
  const { code, message } = refusal(whole.with(at, 0x62));
  assert.equal(code, "STATE_CORRUPT");
  assert.match(
    message,
    /^a\.tar is no whole backup: conf\/domains\.map is not what manifest\.json says/,
  );
});

Deno.test("unpackBackup says so where a newer version made it", () => {
  const { code, message, hint } = refusal(
    edited((manifest) => ({ ...manifest, version: 2, more: 1 })),
  );
  assert.equal(code, "UNSUPPORTED");
  assert.match(message, /newer haproxy-mcp/);
  assert.match(hint!, /version 2; this one reads version 1/);
});

for (
  const [what, edit, words] of [
    [
      "lacks a file",
      ({ files, ...rest }) => ({
        ...rest,
        files: { "conf/servers.json": (files as never)["conf/servers.json"] },
      }),
      /does not name "conf\/domains\.map"/,
    ],
    [
      "names one too many",
      ({ files, ...rest }) => ({
        ...rest,
        files: { ...files as object, x: { size: 0, sha256: "" } },
      }),
      /x is missing/,
    ],
    ["has a field that nobody knows", (manifest) => ({ ...manifest, more: 1 }), /manifest\.json/],
    ["lacks the root", ({ root: _, ...rest }) => rest, /root/],
    ["has no version", ({ version: _, ...rest }) => rest, /version/],
    ["is a list", () => [], /manifest\.json/],
  ] as const satisfies readonly (readonly [
    string,
    (manifest: Record<string, unknown>) => unknown,
    RegExp,
  ])[]
) {
  Deno.test(`unpackBackup refuses an archive whose manifest ${what}`, () => {
    const { code, message } = refusal(edited(edit));
    assert.equal(code, "STATE_CORRUPT");
    assert.match(message, words);
  });
}

Deno.test("unpackBackup refuses what is no archive, one without a manifest, and a file that stands in it twice", () => {
  assert.match(refusal(bytes("garbage")).message, /at byte 0 it ends too early/);
  assert.match(refusal(writeTar([], { time })).message, /first file is not manifest\.json/);
  const others = Array.from(files, ([name, content]) => ({ name, content }));
  assert.match(refusal(writeTar(others, { time })).message, /first file is not manifest\.json/);
  const { manifest } = unpackBackup(packBackup({ manifest: origin, files }), "a.tar");
  const first = { name: "manifest.json", content: bytes(JSON.stringify(manifest)) };
  assert.match(
    refusal(writeTar([first, ...others, others[0]], { time })).message,
    /conf\/domains\.map stands in it twice/,
  );
});

Deno.test("what could not be read again is not written", () => {
  const large = new Map([["data/audit.jsonl", new Uint8Array(MAX_FILE + 1)]]);
  assert.throws(() => packBackup({ manifest: origin, files: large }), {
    code: "STATE_IO",
    message: /^data\/audit\.jsonl is larger than \d+ bytes/,
  });
});
