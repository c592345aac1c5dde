import assert from "node:assert/strict";
import { join } from "node:path";
import { startBackend } from "../support/backend.ts";
import { eventually } from "../support/eventually.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { withoutNoreuseport } from "../support/edit_config.ts";
import { startRival } from "../support/rival.ts";
import { openTools, type ToolRig } from "../support/tools.ts";

interface Component extends Record<string, unknown> {
  readonly status: string;
  readonly message: string;
}
interface Health {
  readonly status: string;
  readonly components: Readonly<Record<string, Component>>;
}

async function health(rig: ToolRig): Promise<Health> {
  return (await rig.call("health")).structured as unknown as Health;
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: health is healthy where all is well, and says what it looked at`, async () => {
    await using one = startBackend("one");
    await using rig = await openTools({ version });
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
    const { status, components } = await health(rig);
    assert.equal(status, "healthy", JSON.stringify(components));
    assert.deepEqual(Object.keys(components), [
      "mcp",
      "haproxy",
      "config_files",
      "container",
      "certificates",
      "sync",
      "reload",
    ]);
    const { haproxy, sync, reload, mcp, certificates } = components;
    assert.equal(certificates.count, 1);
    assert.equal(mcp.pid, Deno.pid);
    const [process, ...more] = haproxy.processes as { pid: number; version: string }[];
    assert.deepEqual(more, []);
    assert.equal(process.pid, await rig.haproxy.workerPid());
    assert.ok(process.version.startsWith(version));
    assert.deepEqual([haproxy.servers_healthy, haproxy.servers_total], [1, 1]);
    assert.deepEqual([sync.domains, sync.servers, sync.certificates], [0, 0, 0]);
    assert.deepEqual([reload.way, reload.check], ["master", "binary"]);
  });

  Deno.test(`${version}: sync counts what differs by kind, and restore_state brings it to none`, async () => {
    await using rig = await openTools({ version });
    const { options: { map }, runtime } = rig.haproxy;
    for (const domain of ["a.test", "b.test"]) {
      await rig.call("add_domain", { domain, ip: "127.0.0.1", http_port: 9 });
    }
    await runtime(`del map ${map} a.test`);
    await runtime(`set map ${map} b.test pool_1`);
    await runtime(`add map ${map} x.test pool_1`);
    await runtime("set server pool_1/pool_1_1 weight 9");
    await runtime("set server pool_2/pool_2_2 addr 127.0.0.1 port 5");
    const { status, components: { sync } } = await health(rig);
    assert.equal(status, "degraded");
    assert.deepEqual([sync.domains, sync.servers], [3, 2]);
    assert.deepEqual(
      (sync.differences as string[]).toSorted(),
      ["a.test", "b.test", "pool_1_1", "pool_2_2", "x.test"],
    );
    assert.match(sync.message, /^3 domains and 2 servers differ \(.* and 2 more\)/);
    await rig.call("restore_state");
    const after = (await health(rig)).components.sync;
    assert.deepEqual([after.status, after.domains, after.servers], ["ok", 0, 0]);
  });
}

Deno.test("health answers down, and does not fail, where HAProxy is stopped", async () => {
  await using rig = await openTools();
  await rig.haproxy.stop();
  const { status, components } = await health(rig);
  assert.equal(status, "down");
  assert.equal(components.haproxy.status, "down");
  const { address, port } = rig.haproxy.options.api;
  assert.ok(components.haproxy.message.includes(`${address}:${port}`));
  assert.equal(components.sync.status, "off");
  assert.equal(components.mcp.status, "ok");
  await rig.haproxy.start();
  await eventually(async () => (await health(rig)).status === "healthy");
});

Deno.test("health names the domains whose ready servers are down, not those that were drained", async () => {
  await using rig = await openTools({ pools: 3 });
  await rig.call("add_domain", { domain: "dead.test", ip: "127.0.0.1", http_port: 1 });
  await rig.call("add_domain", { domain: "drained.test", ip: "127.0.0.1", http_port: 1 });
  await rig.call("set_domain_state", { domain: "drained.test", state: "drain" });
  await rig.call("add_domain", { domain: "empty.test" });
  const down = async () => (await health(rig)).components.haproxy.domains_down as string[];
  await eventually(async () => (await down()).length > 0);
  assert.deepEqual(await down(), ["dead.test"]);
  const { status, components: { haproxy } } = await health(rig);
  assert.equal(status, "degraded");
  assert.match(haproxy.message, /dead\.test is down; drained\.test is switched off/);
  assert.deepEqual(haproxy.domains_off, ["drained.test"]);
});

Deno.test("health names domains that lead to a backend that HAProxy does not have", async () => {
  await using rig = await openTools({ domains: "a.test pool_999\n" });
  const { status, components: { haproxy } } = await health(rig);
  assert.equal(status, "degraded");
  assert.deepEqual(haproxy.domains_astray, ["a.test"]);
  assert.match(haproxy.message, /a\.test is mapped to a backend that HAProxy does not have/);
});

Deno.test("health tells broken files also while HAProxy is down, and those of the certificates", async () => {
  await using rig = await openTools();
  const { root } = rig.haproxy;
  const files = async () => (await health(rig)).components.config_files;
  const list = await Deno.readTextFile(join(root, "certs/crt-list.txt"));
  for (
    const [file, text] of [["conf/certificates.json", "{"], ["certs/crt-list.txt", "x [\n"]]
  ) {
    await Deno.writeTextFile(join(root, file), text);
    const { components } = await health(rig);
    assert.ok(components.config_files.message.includes(`${file}, line 1`));
    assert.equal(components.certificates.status, "degraded");
    await Deno.writeTextFile(join(root, file), file.endsWith("json") ? '{"domains": []}' : list);
    assert.equal((await files()).status, "ok");
  }
  await rig.haproxy.stop();
  await Deno.writeTextFile(join(root, "conf/domains.map"), "nonsense\n");
  assert.match((await files()).message, /domains\.map, line 1/);
  assert.equal((await health(rig)).status, "down");
});

Deno.test("a lost domains.map is not an empty one: health says so, and restore_state refuses", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
  await rig.file("conf/domains.map");
  const map = join(rig.haproxy.root, "conf/domains.map");
  await Deno.remove(map);
  const { status, components } = await health(rig);
  assert.equal(status, "degraded");
  assert.match(components.config_files.message, /domains\.map is missing/);
  assert.equal((await rig.refused("restore_state")).code, "STATE_CORRUPT");
  assert.match(await rig.haproxy.runtime(`show map ${rig.haproxy.options.map}`), /a\.test pool_1/);
});

Deno.test("health names two HAProxys that share the port", async () => {
  await using rig = await openTools({ edit: withoutNoreuseport });
  const first = await rig.haproxy.workerPid();
  await using rival = await startRival(rig.haproxy, "3.0");
  const pids = [first, rival.pid];
  const { status, components: { haproxy } } = await health(rig);
  assert.equal(status, "degraded");
  const found = (haproxy.processes as { pid: number }[]).map(({ pid }) => pid);
  assert.equal(found.length, 2);
  for (const pid of pids) assert.ok(found.includes(pid) && haproxy.message.includes(String(pid)));
  assert.match(haproxy.message, /^2 HAProxys share 127\.0\.0\.1:\d+: process \d+ \(3\.\d/);
  for (const tool of ["reload", "restore_state"]) {
    const error = await rig.refused(tool);
    assert.equal(error.code, "CONFLICT");
    assert.match(error.message, /^2 HAProxys share/);
  }
  await rival.stop();
  assert.deepEqual((await health(rig)).components.haproxy.status, "ok");
});

Deno.test("health tells a broken file of ours by its name and line, and an edited servers.state", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 1 });
  const state = join(rig.haproxy.root, "conf/servers.state");
  await Deno.writeTextFile(state, "1\n");
  const stale = (await health(rig)).components.config_files;
  assert.equal(stale.status, "degraded");
  assert.match(stale.message, /^servers\.state: it is not what servers\.json says/);
  await rig.call("restore_state");
  assert.match(await Deno.readTextFile(state), / pool_1_1 127\.0\.0\.1 /);
  assert.equal((await health(rig)).components.config_files.status, "ok");

  await Deno.writeTextFile(join(rig.haproxy.root, "conf/servers.json"), '{"pool_1": ');
  const { status, components } = await health(rig);
  assert.equal(status, "degraded");
  assert.match(components.config_files.message, /servers\.json, line 1, column/);
  assert.equal(components.haproxy.status, "ok");
  assert.match(components.haproxy.message, /servers are not known while the files can't be read$/);
});

Deno.test("health reminds of an edit of haproxy.cfg that HAProxy has not read yet", async () => {
  await using rig = await openTools();
  const { configFile } = rig.haproxy;
  const later = Date.now() / 1000 + 5;
  await Deno.utime(configFile, later, later);
  const { components: { config_files } } = await health(rig);
  assert.equal(config_files.status, "degraded");
  assert.match(config_files.message, /haproxy\.cfg: it was edited after HAProxy read it/);
});

Deno.test("health says why no way to reload works, and is healthy all the same", async () => {
  await using rig = await openTools({
    host: { master: "127.0.0.1:1", binary: "/nowhere/haproxy" },
  });
  const { status, components: { reload } } = await health(rig);
  assert.equal(status, "healthy");
  assert.deepEqual([reload.status, reload.way, reload.check], ["off", null, null]);
  for (const way of ["master", "podman", "systemd"]) assert.ok(reload.message.includes(way));
});
