import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { eventually } from "../support/eventually.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { requestHttp2 } from "../support/request_http2.ts";
import { openTools, type ToolRig } from "../support/tools.ts";

type Row = Record<string, unknown>;
const byName = (rows: unknown, name: string) =>
  (rows as Row[]).find((row) => row.name === name || row.server === name)!;

async function stats(rig: ToolRig) {
  const { structured } = await rig.call("stats");
  return structured as { process: Row; totals: Row; frontends: Row[]; backends: Row[] };
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: stats, frontends and connections count what went through`, async () => {
    await using one = startBackend("one");
    await using rig = await openTools({ version });
    const { httpsPort: port } = rig.haproxy.options;
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
    for (let i = 0; i < 3; i++) await rig.get("a.test");
    await rig.get("a.test", "/status?code=404");
    await rig.get("a.test", "/status?code=500");
    await rig.get("unknown.test");
    for (let i = 0; i < 2; i++) await requestHttp2({ port, host: "a.test" });

    // HAProxy counts an answer when its client may have it already.
    const answers = async () => Object.values((await stats(rig)).totals.responses as Row);
    await eventually(async () =>
      (await answers()).reduce<number>((sum, count) => sum + Number(count), 0) === 8
    );
    const { process, totals, frontends, backends } = await stats(rig);
    assert.equal(process.pid, await rig.haproxy.workerPid());
    assert.ok((process.version as string).startsWith(version));
    assert.equal(totals.requests, 8);
    assert.deepEqual(totals.responses, { "1xx": 0, "2xx": 5, "3xx": 0, "4xx": 2, "5xx": 1 });
    assert.equal(byName(frontends, "fe_http").requests, 6);
    assert.ok(byName(frontends, "fe_http").bytes_out as number > 100);
    const pool = byName(backends, "pool_1");
    assert.equal(pool.requests, 7);
    assert.deepEqual(pool.responses, { "1xx": 0, "2xx": 5, "3xx": 0, "4xx": 1, "5xx": 1 });
    assert.deepEqual(backends.map(({ name }) => name), ["be_unknown_host", "pool_1"]);

    const listed = (await rig.call("list_frontends")).structured.frontends;
    const { h1, h2, h3, status } = byName(listed, "fe_https");
    assert.deepEqual({ h1, h2, h3, status }, { h1: 0, h2: 2, h3: 0, status: "OPEN" });
    assert.equal(byName(listed, "fe_http").h1, 6);

    const { structured } = await rig.call("get_connections");
    assert.equal(byName(structured.servers, "pool_1_1").total, 7);
    assert.equal(structured.total, 0);
  });

  Deno.test(`${version}: get_connections shows who is connected now`, async () => {
    await using one = startBackend("one");
    await using rig = await openTools({ version });
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
    await rig.call("add_domain", { domain: "b.test", ip: "127.0.0.1", http_port: one.port });
    const slow = Promise.all([0, 1].map(() => rig.get("a.test", "/slow?ms=1500")));
    await eventually(() => one.requests === 2);
    const { structured, text } = await rig.call("get_connections");
    assert.equal(byName(structured.servers, "pool_1_1").current, 2);
    assert.equal(byName(structured.servers, "pool_2_1").current, 0);
    assert.equal(structured.total, 2);
    assert.match(text, /2 sessions now\.$/);
    const other = (await rig.call("get_connections", { backend: "pool_2" })).structured;
    assert.equal(other.total, 0);
    assert.equal((other.servers as Row[]).length, 1);
    await slow;
  });

  Deno.test(`${version}: backends lists those in use, with their domains, and counts the free pools`, async () => {
    await using rig = await openTools({
      version,
      pools: 4,
      edit: (config) =>
        `${config}\nbackend own\n    server s1 127.0.0.1:1 no-check\n    server s2 127.0.0.1:2 disabled\n`,
    });
    await rig.call("add_domain", { domain: "a.test", wildcard: true, ip: "127.0.0.1" });
    await rig.call("add_domain", { domain: "b.test", share_with: "a.test" });
    await rig.call("add_domain", { domain: "c.test" });
    await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 0 });
    const { structured, text } = await rig.call("backends");
    const own = structured.backends as Row[];
    assert.deepEqual(own.map(({ name }) => name), ["be_unknown_host", "pool_1", "pool_2", "own"]);
    assert.deepEqual(byName(own, "pool_1"), {
      name: "pool_1",
      status: byName(own, "pool_1").status,
      domains: ["*.a.test", "a.test", "b.test"],
      domain_count: 3,
      servers_up: 0,
      servers_total: 1,
    });
    assert.deepEqual(byName(own, "pool_2"), {
      name: "pool_2",
      status: "DOWN",
      domains: ["c.test"],
      domain_count: 1,
      servers_up: 0,
      servers_total: 0,
    });
    const { servers_up, servers_total } = byName(own, "own");
    assert.deepEqual([servers_up, servers_total], [1, 2]);
    assert.equal(structured.free_pools, 2);
    assert.match(text, /2 of 4 pools are free\.$/);
  });
}

Deno.test("a pool of many domains names twenty and counts all", async () => {
  const domains = Array.from({ length: 30 }, (_, i) => `d${i}.test pool_1\n`).join("");
  await using rig = await openTools({ domains });
  const { structured, text } = await rig.call("backends");
  const pool = byName(structured.backends, "pool_1");
  assert.equal((pool.domains as string[]).length, 20);
  assert.equal(pool.domain_count, 30);
  assert.match(text, /and 27 more/);
});

Deno.test("idle slots are not read, and not shown", async () => {
  await using rig = await openTools({ pools: 30, slots: 30 });
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1" });
  const rows = (await rig.call("get_connections")).structured.servers as Row[];
  assert.deepEqual(rows.map(({ server }) => server), ["pool_1_1"]);
  // What it costs HAProxy and us: the 900 slots' rows would be 300 kB.
  const active = await rig.haproxy.runtime("show stat -1 6 -1 no-maint");
  const all = await rig.haproxy.runtime("show stat");
  assert.ok(active.length * 5 < all.length, `${active.length} of ${all.length}`);
});

Deno.test("the monitoring tools refuse parameters that they do not have, and an unknown backend", async () => {
  await using rig = await openTools();
  for (const name of ["stats", "backends", "list_frontends"]) {
    assert.equal((await rig.refused(name, { backend: "pool_1" })).code, "VALIDATION");
  }
  assert.equal((await rig.refused("get_connections", { backend: "nope" })).code, "NOT_FOUND");
  assert.equal((await rig.refused("get_connections", { backend: "a b" })).code, "VALIDATION");
});

Deno.test("with HAProxy stopped each tool answers HAPROXY_UNREACHABLE with the address tried", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1" });
  const { address, port } = rig.haproxy.options.api;
  await rig.haproxy.stop();
  const calls: [string, object][] = [
    ["stats", {}],
    ["backends", {}],
    ["list_frontends", {}],
    ["get_connections", {}],
    ["get_server_health", {}],
    ["domain_health", { domain: "a.test" }],
    ["save_state", {}],
    ["restore_state", {}],
  ];
  for (const [name, args] of calls) {
    const error = await rig.refused(name, args);
    assert.equal(error.code, "HAPROXY_UNREACHABLE", name);
    assert.ok(error.message.includes(`${address}:${port}`), error.message);
  }
});
