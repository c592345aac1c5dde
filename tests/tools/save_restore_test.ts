import assert from "node:assert/strict";
import { join } from "node:path";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { openTools, runningSlots, snapshot } from "../support/tools.ts";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: what save_state wrote, restore_state brings back: servers, weights, states`, async () => {
    await using one = startBackend("one");
    await using rig = await openTools({ version });
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
    await rig.call("add_server", { domain: "a.test", ip: "::1", http_port: 8080, weight: 256 });
    await rig.call("add_server", { domain: "a.test", ip: "10.0.0.1", weight: 0 });
    await rig.call("set_server_state", { domain: "a.test", slot: 2, state: "drain" });
    await rig.call("set_server_state", { domain: "a.test", slot: 3, state: "maint" });
    const before = await snapshot(rig.haproxy);
    const saved = await rig.call("save_state");
    const file = join(rig.haproxy.root, "data/servers.state");
    assert.deepEqual(saved.structured, { file, servers: 3 });
    assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);

    await rig.call("remove_server", { domain: "a.test", slot: 3 });
    await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 7 });
    await rig.call("add_domain", { domain: "b.test", ip: "10.0.0.2" });
    const dry = await rig.call("restore_state", { source: "state_file", dry_run: true });
    assert.match(dry.text, /^Dry run, nothing was changed/);
    const restored = await rig.call("restore_state", { source: "state_file" });
    assert.deepEqual(restored.structured.changed_count, 3);
    const names = (restored.structured.changed as { name: string }[]).map(({ name }) => name);
    assert.deepEqual(names.sort(), ["pool_1_1", "pool_1_3", "pool_2_1"]);

    const after = await snapshot(rig.haproxy);
    assert.equal(after.slots, before.slots);
    assert.equal(after["conf/servers.json"], before["conf/servers.json"]);
    assert.equal(after["conf/servers.state"], before["conf/servers.state"]);
    // The map stays as it is: b.test leads to a pool that is empty now.
    assert.match(after["conf/domains.map"], /^b\.test pool_2$/m);
  });

  Deno.test(`${version}: restore_state reads what "show servers state" printed`, async () => {
    await using rig = await openTools({ version });
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
    const slots = await runningSlots(rig.haproxy);
    const dump = await rig.haproxy.runtime("show servers state");
    await Deno.writeTextFile(join(rig.haproxy.root, "data/servers.state"), dump);
    await rig.call("remove_server", { domain: "a.test", slot: 1, force: true });
    const { structured } = await rig.call("restore_state", { source: "state_file" });
    assert.deepEqual(structured.changed, [{ kind: "server", name: "pool_1_1" }]);
    assert.equal(await runningSlots(rig.haproxy), slots);
  });

  Deno.test(`${version}: a hand edit of domains.map and servers.json is what restore_state brings to HAProxy`, async () => {
    await using one = startBackend("one");
    await using rig = await openTools({ version });
    const { root } = rig.haproxy;
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
    await Deno.writeTextFile(join(root, "conf/domains.map"), "# mine\nb.test pool_2\n");
    const servers = { pool_2: { 3: { ip: "127.0.0.1", http_port: one.port } } };
    await Deno.writeTextFile(join(root, "conf/servers.json"), JSON.stringify(servers));
    const { structured } = await rig.call("restore_state");
    assert.equal(structured.changed_count, 4);
    assert.equal((await rig.get("b.test")).body, "one\n");
    assert.equal((await rig.get("a.test")).status, 404);
    assert.equal(await rig.file("conf/domains.map"), "# mine\nb.test pool_2\n");
  });
}

Deno.test("restore_state sends nothing where nothing differs", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
  const before = await rig.haproxy.runtime("show servers state");
  const { structured, text } = await rig.call("restore_state");
  assert.deepEqual(structured, { changed: [], changed_count: 0, unchanged: 3 });
  assert.match(text, /^Nothing to restore: all 3/);
  assert.equal((await rig.haproxy.runtime("show servers state")).length, before.length);
});

Deno.test("a dry run of save_state and restore_state leaves disk and HAProxy as they were", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
  await rig.call("save_state");
  const file = join(rig.haproxy.root, "data/servers.state");
  const saved = await Deno.readTextFile(file);
  await rig.call("add_server", { domain: "a.test", ip: "10.0.0.9" });
  await rig.haproxy.runtime("set server pool_1/pool_1_1 weight 9");
  const before = await snapshot(rig.haproxy);
  const save = await rig.call("save_state", { dry_run: true });
  assert.equal(save.structured.servers, 2);
  const restore = await rig.call("restore_state", { source: "state_file", dry_run: true });
  assert.deepEqual(await snapshot(rig.haproxy), before);
  assert.equal(await Deno.readTextFile(file), saved);
  const { commands, files } = restore.structured.would_change as {
    commands: string[];
    files: { file: string; lines: string[] }[];
  };
  assert.ok(commands.includes("set server pool_1/pool_1_1 weight 1"));
  assert.ok(commands.includes("set server pool_1/pool_1_2 addr 127.0.0.1 port 1"));
  assert.deepEqual(files.map(({ file }) => file), ["servers.json"]);
});

Deno.test("restore_state refuses a file that is missing, broken, or of other pools, and changes nothing", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
  const file = join(rig.haproxy.root, "data/servers.state");
  const before = await snapshot(rig.haproxy);
  const missing = await rig.refused("restore_state", { source: "state_file" });
  assert.equal(missing.code, "NOT_FOUND");
  const dump = await rig.haproxy.runtime("show servers state");
  for (
    const [text, words] of [
      ["", /no server state file/],
      ["garbage\n", /no server state file/],
      [dump.replaceAll("pool_1", "pool_7"), /pool_7_1 is in none of the 2 pools of 3 slots/],
      [dump.replace(/ 9 - 0 0/, " 0 - 0 0"), /port of pool_1_1/],
      [dump.replace("pool_1_1 127.0.0.1", "pool_1_1 localhost"), /localhost/],
    ] as const
  ) {
    await Deno.writeTextFile(file, text);
    const error = await rig.refused("restore_state", { source: "state_file" });
    assert.equal(error.code, "STATE_CORRUPT", text.slice(0, 100));
    assert.match(error.message, words);
  }
  assert.equal((await rig.refused("restore_state", { source: "else" })).code, "VALIDATION");
  assert.equal((await rig.refused("save_state", { file: "/etc/x" })).code, "VALIDATION");
  assert.deepEqual(await snapshot(rig.haproxy), before);
});

Deno.test("restore_state goes on after what can't be, and then says so", async () => {
  await using rig = await openTools({ maxSlots: 4, heal: false });
  const servers = { pool_1: { 1: { ip: "127.0.0.1", http_port: 9 }, 4: { ip: "127.0.0.1" } } };
  await Deno.writeTextFile(join(rig.haproxy.root, "conf/servers.json"), JSON.stringify(servers));
  const error = await rig.refused("restore_state");
  assert.equal(error.code, "HAPROXY_REJECTED");
  assert.match(error.message, /pool_1_4/);
  assert.match(await runningSlots(rig.haproxy), /^pool_1_1 127\.0\.0\.1:9 4 1$/m);
});

Deno.test("servers that were restored stay so where something else can't be, and the answer does not deny it", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
  await rig.call("save_state");
  await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 9 });
  await Deno.writeTextFile(join(rig.haproxy.root, "conf/certificates.json"), "{");
  const error = await rig.refused("restore_state", { source: "state_file" });
  assert.equal(error.code, "STATE_CORRUPT");
  assert.match(error.message, /certificates\.json/);
  assert.match(error.hint!, /^What could be restored was/);
  assert.match(await rig.file("conf/servers.json"), /"weight":1,/);
  assert.match(await runningSlots(rig.haproxy), /^pool_1_1 127\.0\.0\.1:9 4 1$/m);
});

Deno.test("a dry run of a large restore names the first of its commands and counts the rest", async () => {
  const domains = Array.from({ length: 500 }, (_, i) => `d${i}.test pool_1\n`).join("");
  await using rig = await openTools({ domains, heal: false });
  await rig.haproxy.runtime(`clear map ${rig.haproxy.options.map}`);
  const { structured } = await rig.call("restore_state", { dry_run: true });
  assert.equal(structured.changed_count, 500);
  const { commands } = structured.would_change as { commands: string[] };
  assert.equal(commands.length, 201);
  assert.equal(commands[200], "… and 300 more");
});

Deno.test("restore_state needs confirm where MCP_CONFIRM=require", async () => {
  await using rig = await openTools({ confirm: "require" });
  for (const name of ["restore_state", "reload"]) {
    assert.equal((await rig.refused(name)).code, "CONFIRMATION_NEEDED");
  }
  await rig.call("restore_state", { confirm: true });
});
