/** What is answered lasts, what is cut off is carried out or taken back, and processes share the files. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { AgentError } from "../../lib/errors.ts";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import { openMoreTools, openTools, runningMap, runningSlots } from "../support/tools.ts";

const server = (ip: string) => ({ ip, httpPort: 80, weight: 3, state: "ready" });
const entry = (seq: number, domain: string, ip: string) =>
  JSON.stringify({
    t: "change",
    seq,
    tool: "haproxy_add_domain",
    changes: [
      { kind: "server", pool: "pool_1", slot: 1, before: null, after: server(ip) },
      { kind: "map", key: domain, before: null, after: "pool_1" },
    ],
  });

async function writeJournal(root: string, ...lines: string[]): Promise<void> {
  await Deno.mkdir(join(root, "data/journal"), { recursive: true });
  await Deno.writeTextFile(
    join(root, "data/journal/changes.jsonl"),
    lines.map((l) => `${l}\n`).join(""),
  );
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: with the agent gone, HAProxy comes up right after kill -9 and after a reload`, async () => {
    await using one = startBackend("one");
    await using two = startBackend("two", { hostname: "::1" });
    await using haproxy = await startHaproxy({ version, pools: 3, slots: 3 });
    {
      await using rig = await openMoreTools(haproxy);
      await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
      await rig.call("add_server", { domain: "a.test", ip: "10.9.9.9", weight: 37 });
      await rig.call("set_server_state", { domain: "a.test", slot: 2, state: "drain" });
      await rig.call("add_server", { domain: "a.test", ip: "10.9.9.8" });
      await rig.call("set_server_state", { domain: "a.test", slot: 3, state: "maint" });
      await rig.call("add_domain", {
        domain: "b.test",
        ip: "::1",
        http_port: two.port,
        wildcard: true,
      });
      await rig.call("add_domain", { domain: "gone.test", ip: "10.9.9.7" });
      await rig.call("remove_domain", { domain: "gone.test" });
    }
    const slots = await runningSlots(haproxy);
    const check = async () => {
      await using rig = await openMoreTools(haproxy, { heal: false });
      assert.equal((await rig.get("a.test")).body, "one\n");
      assert.equal((await rig.get("b.test")).body, "two\n");
      assert.equal((await rig.get("x.b.test")).body, "two\n");
      assert.equal(await runningSlots(haproxy), slots);
    };
    await haproxy.kill9();
    await haproxy.start();
    await check();
    await haproxy.reload();
    await check();
  });
}

Deno.test("a change that a crash cut off is carried out at the next start", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3 });
  await writeJournal(haproxy.root, entry(1, "a.test", "10.0.0.1"));
  await using rig = await openMoreTools(haproxy);
  assert.equal(await runningMap(haproxy), "a.test pool_1");
  assert.match(await runningSlots(haproxy), /^pool_1_1 10\.0\.0\.1:80 4 3$/m);
  assert.match(await rig.file("conf/domains.map"), /^a\.test pool_1$/m);
  assert.match(await rig.file("conf/servers.state"), /pool_1_1 10\.0\.0\.1 2 4 3 /);
});

Deno.test("a cut-off change that HAProxy refuses is taken back before the next one", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 3 });
  await writeJournal(haproxy.root, entry(1, "a.test", "10.0.0.1").replaceAll("pool_1", "pool_2"));
  const shape = { host: "127.0.0.1", port: haproxy.options.api.port, poolCount: 2, maxSlots: 3 };
  await using rig = await openMoreTools(haproxy, { heal: false, haproxy: shape });
  await rig.call("add_domain", { domain: "b.test", ip: "10.0.0.2" });
  assert.equal(await runningMap(haproxy), "b.test pool_1");
  const { text } = await rig.call("list_domains");
  assert.equal(text, "• b.test -> pool_1 (pool): pool_1_1=10.0.0.2:80");
});

Deno.test("an undone entry and a torn end of the journal are not carried out", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3 });
  await writeJournal(
    haproxy.root,
    entry(1, "a.test", "10.0.0.1"),
    JSON.stringify({ t: "undone", seqs: [1] }),
    entry(2, "b.test", "10.0.0.2").slice(0, 90),
  );
  await using rig = await openMoreTools(haproxy);
  assert.equal((await rig.call("list_domains")).structured.count, 0);
  assert.equal(await runningMap(haproxy), "");
  await rig.call("add_domain", { domain: "c.test" });
  await rig.reopen();
  assert.equal((await rig.call("list_domains")).structured.count, 1);
});

Deno.test("a change cut off while HAProxy was down is in the files, and in HAProxy when it is back", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3 });
  await haproxy.stop();
  await writeJournal(haproxy.root, entry(1, "a.test", "10.0.0.1"));
  await using rig = await openMoreTools(haproxy);
  assert.equal((await rig.refused("add_domain", { domain: "b.test" })).code, "HAPROXY_UNREACHABLE");
  await haproxy.start();
  for (let i = 0; i < 400 && await runningMap(haproxy) === ""; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(await runningMap(haproxy), "a.test pool_1");
  assert.match(await rig.file("conf/domains.map"), /^a\.test pool_1$/m);
});

Deno.test("while HAProxy is down changes are refused and nothing is written; afterwards they work", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const files =
    async () => [await rig.file("conf/domains.map"), await rig.file("conf/servers.json")];
  const before = await files();
  await rig.haproxy.stop();
  for (
    const [name, args] of [
      ["add_domain", { domain: "b.test", ip: "10.0.0.2" }],
      ["remove_domain", { domain: "a.test" }],
      ["add_server", { domain: "a.test", ip: "10.0.0.2" }],
      ["set_domain_state", { domain: "a.test", state: "maint" }],
      ["list_servers", { domain: "a.test" }],
    ] as const
  ) {
    const error = await rig.refused(name, args);
    assert.equal(error.code, "HAPROXY_UNREACHABLE", name);
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${rig.haproxy.options.api.port}`));
  }
  assert.equal((await rig.call("list_domains")).structured.count, 1);
  assert.deepEqual(await files(), before);
  await rig.haproxy.start();
  await rig.call("add_domain", { domain: "b.test", ip: "10.0.0.2" });
});

Deno.test("a HAProxy that was killed and started with empty files is healed by a running agent", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  await rig.file("conf/domains.map");
  await rig.haproxy.kill9();
  await Deno.remove(join(rig.haproxy.root, "conf/servers.state"));
  await rig.haproxy.start();
  for (let i = 0; i < 400 && !/10\.0\.0\.1:80/.test(await runningSlots(rig.haproxy)); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.match(await runningSlots(rig.haproxy), /^pool_1_1 10\.0\.0\.1:80 4 1$/m);
});

Deno.test("callers that come together each get their own answer, and no pool is given twice", async () => {
  await using rig = await openTools({ pools: 60 });
  const calls = Array.from(
    { length: 50 },
    (_, i) => rig.call("add_domain", { domain: `d${i}.test`, ip: `10.0.1.${i + 1}` }),
  );
  const bad = [
    rig.refused("add_domain", { domain: "bad_name.test" }),
    rig.refused("remove_domain", { domain: "no.test" }),
  ];
  const pools = (await Promise.all(calls)).map(({ structured }) => structured.pool);
  assert.deepEqual((await Promise.all(bad)).map(({ code }) => code), ["VALIDATION", "NOT_FOUND"]);
  assert.equal(new Set(pools).size, 50);
  assert.equal((await runningMap(rig.haproxy)).split("\n").length, 50);
  const servers = JSON.parse(await rig.file("conf/servers.json"));
  calls.forEach((_, i) => assert.equal(servers[pools[i] as string]["1"].ip, `10.0.1.${i + 1}`));
});

Deno.test("one refused caller of many does not hurt the others", async () => {
  await using one = startBackend("one");
  await using rig = await openTools({ pools: 8 });
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
  const outcomes = await Promise.allSettled([
    ...[1, 2, 3].map((i) => rig.call("add_domain", { domain: `b${i}.test`, ip: "10.0.0.1" })),
    rig.call("remove_server", { domain: "a.test", slot: 1 }),
    ...[4, 5].map((i) => rig.call("add_domain", { domain: `b${i}.test`, ip: "10.0.0.1" })),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), [
    ...Array(5).fill("fulfilled"),
    "rejected",
  ]);
  const refused = outcomes[3] as PromiseRejectedResult;
  assert.equal((refused.reason as AgentError).code, "REFUSED");
  assert.equal((await runningMap(rig.haproxy)).split("\n").length, 6);
  assert.equal((await rig.get("a.test")).body, "one\n");
});

Deno.test("two agents on one root lose nothing of each other", async () => {
  await using rig = await openTools({ pools: 40 });
  await using other = await openMoreTools(rig.haproxy);
  const calls = Array.from(
    { length: 30 },
    (_, i) =>
      (i % 2 ? rig : other).call("add_domain", { domain: `d${i}.test`, ip: `10.0.1.${i + 1}` }),
  );
  const pools = (await Promise.all(calls)).map(({ structured }) => structured.pool);
  assert.equal(new Set(pools).size, 30);
  for (const agent of [rig, other]) {
    assert.equal((await agent.call("list_domains")).structured.count, 30);
  }
  await other.call("remove_domain", { domain: "d0.test" });
  assert.equal((await rig.refused("remove_domain", { domain: "d0.test" })).code, "NOT_FOUND");
  const map = await rig.file("conf/domains.map");
  assert.equal(map.split("\n").filter((line) => /^d\d+\.test pool_\d+$/.test(line)).length, 29);
});

Deno.test("a hand edit of the files is picked up by the next call, and not overwritten", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const path = join(rig.haproxy.root, "conf/domains.map");
  await Deno.writeTextFile(
    path,
    `${await rig.file("conf/domains.map")}# by hand\nhand.test pool_1\n`,
  );
  assert.equal((await rig.call("list_domains")).structured.count, 2);
  await rig.call("add_domain", { domain: "b.test", share_with: "hand.test" });
  assert.match(
    await rig.file("conf/domains.map"),
    /a\.test pool_1\n# by hand\nhand\.test pool_1\nb\.test pool_1\n$/,
  );
});

Deno.test("a file that was broken by hand is STATE_CORRUPT with its place, and stays as it is", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const path = join(rig.haproxy.root, "conf/servers.json");
  const broken = '{\n  "pool_1": {"1": {"ip": "10.0.0.1",}}\n}\n';
  await rig.file("conf/servers.json");
  await Deno.writeTextFile(path, broken);
  for (const name of ["list_domains", "add_domain"]) {
    const error = await rig.refused(name, name === "add_domain" ? { domain: "b.test" } : {});
    assert.equal(error.code, "STATE_CORRUPT");
    assert.match(error.message, /conf\/servers\.json, line 2, column \d+: /);
  }
  await assert.rejects(openMoreTools(rig.haproxy), { code: "STATE_CORRUPT" });
  assert.equal(await Deno.readTextFile(path), broken);
});

Deno.test("a servers.json that is missing or empty does not empty the pools of domains", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const servers = join(rig.haproxy.root, "conf/servers.json");
  const text = await rig.file("conf/servers.json");
  const slots = await runningSlots(rig.haproxy);
  for (const lose of [() => Deno.remove(servers), () => Deno.writeTextFile(servers, "")]) {
    await lose();
    const error = await rig.refused("add_domain", { domain: "b.test" });
    assert.equal(error.code, "STATE_CORRUPT");
    assert.match(error.message, /conf\/servers\.json/);
    await assert.rejects(openMoreTools(rig.haproxy), { code: "STATE_CORRUPT" });
    assert.equal(await runningSlots(rig.haproxy), slots);
  }
  await Deno.writeTextFile(servers, text);
  await rig.call("add_domain", { domain: "b.test" });
});

Deno.test("a folder in the place of a file is STATE_IO, and neither disk nor HAProxy is changed", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const map = await rig.file("conf/domains.map");
  const state = join(rig.haproxy.root, "conf/servers.state");
  await Deno.remove(state);
  await Deno.mkdir(state);
  // Changes that come right behind others are durable by the journal alone, and would be answered.
  await new Promise((resolve) => setTimeout(resolve, 50));
  const error = await rig.refused("add_server", { domain: "a.test", ip: "10.0.0.2" });
  assert.equal(error.code, "STATE_IO");
  assert.match(error.message, /conf\/servers\.state/);
  assert.doesNotMatch(await runningSlots(rig.haproxy), /10\.0\.0\.2/);
  assert.equal(await rig.file("conf/domains.map"), map);
  await Deno.remove(state);
  await rig.call("add_server", { domain: "a.test", ip: "10.0.0.2" });
});
