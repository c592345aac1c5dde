/** Every refusal is a clear error with its code, and leaves files and HAProxy byte for byte as they were. */
import assert from "node:assert/strict";
import type { ToolCall } from "../../lib/tool_definition.ts";
import { removeDomain } from "../../tools/domains.ts";
import { openTools } from "../support/tools.ts";

const long = `${"a.".repeat(125)}test`;
const DOMAINS = [
  "a\n.test",
  "a.test\n",
  "a;b.test",
  "a\\b.test",
  "a b.test",
  " a.test",
  "a..test",
  "../a.test",
  "a_b.test",
  long,
  "test",
  "",
  ".",
  "*.",
  "*.test",
  "*.*.a.test",
  "a.*.test",
  "10.0.0.1",
  "127.1",
  "[::1]",
  "::1",
  "a.test..",
  "-a.test",
  "a-.test",
  "a.test:80",
  "a.test/x",
  "a%2etest",
  '"a.test"',
  "a.test\0",
  "a.test #",
  `${"a".repeat(64)}.test`,
  "a.\u200b.test",
];
const IPS = [
  "300.1.1.1",
  "::",
  "0.0.0.0",
  "fe80::1",
  "fe80::1%eth0",
  "127.1",
  "localhost",
  "example.com",
  "224.0.0.1",
  "255.255.255.255",
  "ff02::1",
  "169.254.0.1",
  "10.0.0.1 ",
  "10.0.0.1;show info",
  "10.0.0.1\n",
  "010.0.0.1",
  "[::1]",
  "::1/64",
];

Deno.test("add_domain refuses what is no domain name, and no server address", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "good.test", ip: "10.0.0.1" });
  const before = await rig.snapshot();
  assert.ok(long.length > 253);
  for (const domain of DOMAINS) {
    const error = await rig.refused("add_domain", { domain, ip: "10.0.0.2" });
    assert.equal(error.code, "VALIDATION", JSON.stringify(domain));
    assert.match(error.message, /^domain ".*" can't be used: /s);
    assert.equal((await rig.refused("remove_domain", { domain })).code, "VALIDATION");
    assert.equal((await rig.refused("list_servers", { domain })).code, "VALIDATION");
    const share = { domain: "x.test", share_with: domain };
    if (domain !== "") assert.equal((await rig.refused("add_domain", share)).code, "VALIDATION");
  }
  for (const ip of IPS) {
    const error = await rig.refused("add_domain", { domain: "x.test", ip });
    assert.equal(error.code, "VALIDATION", JSON.stringify(ip));
    assert.equal((await rig.refused("add_server", { domain: "good.test", ip })).code, "VALIDATION");
  }
  assert.deepEqual(await rig.snapshot(), before);
});

Deno.test("ports, slots, weights and states outside their range are refused", async () => {
  await using rig = await openTools({ slots: 10 });
  await rig.call("add_domain", { domain: "good.test", ip: "10.0.0.1" });
  const before = await rig.snapshot();
  const place = { domain: "good.test", ip: "10.0.0.2" };
  const refused: [string, object][] = [
    ...[0, 65536, -1, "80x", "80", 1.5, null, NaN].map((http_port) =>
      ["add_server", { ...place, http_port }] as [string, object]
    ),
    ...[-1, 11, 1.5, "1", null].map((slot) =>
      ["add_server", { ...place, slot }] as [string, object]
    ),
    ...[0, -1, 11, 1.5].flatMap((slot): [string, object][] => [
      ["remove_server", { domain: "good.test", slot }],
      ["set_server_state", { domain: "good.test", slot, state: "drain" }],
      ["set_server_weight", { domain: "good.test", slot, weight: 1 }],
      ["wait_drain", { domain: "good.test", slot }],
    ]),
    // What is wrong with the call comes before what is missing.
    ["set_server_weight", { domain: "missing.test", slot: 11, weight: 1 }],
    ...[-1, 257, 1.5, "5", "50%"].map((weight) =>
      ["set_server_weight", { domain: "good.test", slot: 1, weight }] as [string, object]
    ),
    ["set_server_state", { domain: "good.test", slot: 1, state: "down" }],
    ["set_server_state", { domain: "good.test", slot: 1, state: "READY" }],
    ["set_domain_state", { domain: "good.test", state: "ready;" }],
    ["add_domain", { domain: "x.test", ip: "10.0.0.2", http_port: 0 }],
    ["add_domain", { domain: "x.test", wildcard: "yes" }],
    ["list_domains", { limit: 0 }],
    ["list_domains", { limit: 10_001 }],
  ];
  for (const [name, args] of refused) {
    const error = await rig.refused(name, args);
    assert.equal(error.code, "VALIDATION", `${name} ${JSON.stringify(args)}: ${error.message}`);
    assert.ok(error.hint, name);
  }
  assert.deepEqual(await rig.snapshot(), before);
});

Deno.test("unknown and missing parameters are refused by name, with the list of those there are", async () => {
  await using rig = await openTools();
  const unknown = await rig.refused("add_domain", { domain: "a.test", port: 80 });
  assert.equal(unknown.message, "there is no parameter port.");
  assert.match(unknown.hint!, /^Parameters: domain, ip, http_port, /);
  const missing = await rig.refused("add_domain", {});
  assert.equal(missing.message, "domain is required.");
  for (const args of ["a.test", 5, [], null]) {
    assert.equal((await rig.refused("add_domain", args)).code, "VALIDATION");
  }
});

Deno.test("every writing call is in the audit log with its code, refused ones and dry runs too", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  await rig.call("add_domain", { domain: "b.test", dry_run: true });
  await rig.refused("add_domain", { domain: "a.test" });
  await rig.refused("add_domain", { domain: "a b" });
  await rig.call("list_domains");
  await rig.call("save_state");
  const log = await rig.file("data/audit.jsonl");
  const records = log.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(records.map(({ code }) => code), ["OK", "OK", "CONFLICT", "VALIDATION", "OK"]);
  assert.deepEqual(records[0].args, { domain: "a.test", ip: "10.0.0.1" });
  assert.deepEqual([records[0].transport, records[0].who], ["shell", "test"]);
  assert.deepEqual(records[0].changed, [
    "domains.map: + a.test pool_1",
    'servers.json: + pool_1.1 {"ip":"10.0.0.1","http_port":80,"weight":1,"state":"ready"}',
  ]);
  assert.match(records[4].changed.join(), /servers\.state/);
  assert.ok(Number.isInteger(records[0].ms));
  assert.deepEqual(records.slice(1, 4).map(({ changed }) => changed), [
    undefined,
    undefined,
    undefined,
  ]);
  assert.match(records[0].at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

Deno.test("a question's dry run is no call in the audit log, unless it is refused; a no is CANCELLED there, and read-only access REFUSED", async () => {
  await using rig = await openTools({ domains: "a.test pool_1\n" });
  const run = (domain: string, verdict: ToolCall["verdict"], dry_run: boolean) =>
    removeDomain.run({ domain, dry_run }, rig.context, {
      signal: new AbortController().signal,
      progress: () => {},
      caller: { transport: "http", who: "MCP_TOKEN 1", client: "test", requestId: "r1" },
      verdict,
    });
  const { text } = await run("a.test", "preview", true);
  assert.match(text, /It would be: Removed a\.test/);
  await assert.rejects(run("b.test", "preview", true), { code: "NOT_FOUND" });
  await assert.rejects(run("a.test", "declined", false), { code: "CANCELLED" });
  await assert.rejects(run("a.test", "refused", false), { code: "REFUSED" });
  await assert.rejects(run("a.test", "unanswered", false), { code: "CANCELLED" });
  const lines = (await rig.file("data/audit.jsonl")).trim().split("\n");
  const records = lines.map((line) => JSON.parse(line));
  assert.deepEqual(records.map(({ code, args }) => [code, args.domain]), [
    ["NOT_FOUND", "b.test"],
    ["CANCELLED", "a.test"],
    ["REFUSED", "a.test"],
    ["CANCELLED", "a.test"],
  ]);
  assert.deepEqual(records.map(({ answer }) => answer), [
    undefined,
    "declined",
    undefined,
    "unanswered",
  ]);
  assert.deepEqual([records[1].who, records[1].client, records[1].request_id], [
    "MCP_TOKEN 1",
    "test",
    "r1",
  ]);
  assert.equal((await rig.call("list_domains")).structured.count, 1);
});

Deno.test("a person's yes is in the audit log as theirs, and counts where confirm=true is needed", async () => {
  await using rig = await openTools({ domains: "a.test pool_1\n", confirm: "require" });
  const run = (verdict: ToolCall["verdict"], args: object) =>
    removeDomain.run({ domain: "a.test", ...args }, rig.context, {
      signal: new AbortController().signal,
      progress: () => {},
      caller: { transport: "http", who: "MCP_TOKEN 1" },
      verdict,
    });
  await assert.rejects(run(undefined, {}), { code: "CONFIRMATION_NEEDED" });
  await run(undefined, { confirm: true, dry_run: true });
  await run("accepted", {});
  const lines = (await rig.file("data/audit.jsonl")).trim().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)).map(({ code, args, answer }) => [
      code,
      args.confirm,
      answer,
    ]),
    [["CONFIRMATION_NEEDED", undefined, undefined], ["OK", true, undefined], [
      "OK",
      undefined,
      "accepted",
    ]],
  );
  assert.equal((await rig.call("list_domains")).structured.count, 0);
});

Deno.test("with MCP_READ_ONLY the writing tools refuse, and the reading ones answer", async () => {
  await using rig = await openTools({ readOnly: true, domains: "a.test pool_1\n" });
  assert.equal((await rig.refused("remove_domain", { domain: "a.test" })).code, "REFUSED");
  assert.equal((await rig.call("list_domains")).structured.count, 1);
});
