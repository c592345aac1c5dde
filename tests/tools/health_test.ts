import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { openTools, type ToolRig } from "../support/tools.ts";
import { eventually } from "../support/eventually.ts";

type Server = { server: string; status: string; healthy: boolean } & Record<string, unknown>;

async function serversOf(rig: ToolRig, backend = ""): Promise<Server[]> {
  const { structured } = await rig.call("get_server_health", { backend });
  return structured.servers as Server[];
}

/** Until HAProxy's checks have found out who is alive. */
const checked = (rig: ToolRig, status: RegExp, server: string) =>
  eventually(async () => {
    const found = (await serversOf(rig)).find((each) => each.server === server);
    return found !== undefined && status.test(found.status);
  });

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: domain_health tells healthy, degraded, down and no_servers apart`, async () => {
    await using one = startBackend("one");
    await using rig = await openTools({ version });
    const health = async () => (await rig.call("domain_health", { domain: "d.test" })).structured;
    await rig.call("add_domain", { domain: "d.test" });
    const empty = { domain: "d.test", pool: "pool_1", status: "no_servers", servers: [] };
    assert.deepEqual(await health(), {
      ...empty,
      healthy_count: 0,
      total_count: 0,
      routed: true,
    });

    await rig.call("add_server", { domain: "d.test", ip: "127.0.0.1", http_port: one.port });
    await checked(rig, /^UP$/, "pool_1_1");
    const up = await health();
    assert.equal(up.status, "healthy");
    assert.deepEqual([up.healthy_count, up.total_count], [1, 1]);
    const [server] = up.servers as Server[];
    assert.equal(server.address, `127.0.0.1:${one.port}`);
    assert.equal(server.check, "L4OK");
    assert.equal(server.state, "ready");

    await rig.call("add_server", { domain: "d.test", ip: "127.0.0.1", http_port: 1 });
    await checked(rig, /^DOWN/, "pool_1_2");
    const half = await health();
    assert.equal(half.status, "degraded");
    assert.deepEqual([half.healthy_count, half.total_count], [1, 2]);

    await rig.call("set_server_state", { domain: "d.test", slot: 1, state: "maint", force: true });
    const down = await health();
    assert.equal(down.status, "down");
    assert.deepEqual([down.healthy_count, down.total_count], [0, 2]);
    assert.deepEqual(
      (down.servers as Server[]).map(({ server, state, healthy }) => [server, state, healthy]),
      [["pool_1_1", "maint", false], ["pool_1_2", "ready", false]],
    );
  });

  Deno.test(`${version}: get_server_health lists configured servers alone, maint ones and other backends' included`, async () => {
    await using rig = await openTools({
      version,
      edit: (config) =>
        `${config}\nbackend own\n    server up 127.0.0.1:1 no-check\n    server off [::1]:2 disabled\n`,
    });
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 1 });
    await rig.call("add_server", { domain: "a.test", ip: "::1", http_port: 2, weight: 7 });
    await rig.call("set_server_state", { domain: "a.test", slot: 2, state: "maint" });
    await checked(rig, /^DOWN/, "pool_1_1");
    const fields = (servers: readonly Server[]) =>
      servers.map(({ backend, server, address, status, weight, state, healthy }) =>
        [backend, server, address, status, weight, state, healthy].join(" ")
      );
    const pool = [
      "pool_1 pool_1_1 127.0.0.1:1 DOWN 1 ready false",
      "pool_1 pool_1_2 [::1]:2 MAINT 7 maint false",
    ];
    const own = ["own up 127.0.0.1:1 no check 1  true", "own off [::1]:2 MAINT 1  false"];
    assert.deepEqual(fields(await serversOf(rig)), [...pool, ...own]);
    assert.deepEqual(fields(await serversOf(rig, "pool_1")), pool);
    assert.deepEqual(fields(await serversOf(rig, "own")), own);
    assert.deepEqual(await serversOf(rig, "pool_2"), []);
  });
}

Deno.test("a domain that HAProxy does not route, or routes elsewhere, is down and said to be so", async () => {
  await using one = startBackend("one");
  await using rig = await openTools();
  const { runtime, options: { map } } = rig.haproxy;
  await rig.call("add_domain", { domain: "d.test", ip: "127.0.0.1", http_port: one.port });
  await checked(rig, /^UP$/, "pool_1_1");
  await runtime(`set map ${map} d.test pool_2`);
  const elsewhere = await rig.call("domain_health", { domain: "d.test" });
  assert.deepEqual([elsewhere.structured.status, elsewhere.structured.routed], ["down", false]);
  assert.match(
    elsewhere.text,
    /^d\.test -> pool_1: down, but HAProxy routes d\.test to pool_2 now/,
  );
  await runtime(`del map ${map} d.test`);
  const nowhere = await rig.call("domain_health", { domain: "d.test" });
  assert.match(nowhere.text, /does not route d\.test now: haproxy_restore_state/);
  await rig.call("restore_state");
  assert.equal(
    (await rig.call("domain_health", { domain: "d.test" })).structured.status,
    "healthy",
  );
});

Deno.test("a number is no backend's name, although HAProxy takes it for one's id", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1" });
  for (const backend of ["5", "4", "5abc", "-1", "fe_http"]) {
    for (const tool of ["get_server_health", "get_connections"]) {
      assert.equal((await rig.refused(tool, { backend })).code, "NOT_FOUND", `${tool} ${backend}`);
    }
  }
});

Deno.test("a server that is in service behind the files' back is seen", async () => {
  await using rig = await openTools();
  await rig.haproxy.runtime("set server pool_2/pool_2_3 addr 127.0.0.1 port 7");
  await rig.haproxy.runtime("set server pool_2/pool_2_3 state ready");
  const [server, ...more] = await serversOf(rig);
  assert.deepEqual(more, []);
  assert.deepEqual([server.server, server.state], ["pool_2_3", null]);
});

Deno.test("a slot that haproxy.cfg lacks is told as such", async () => {
  await using rig = await openTools({ heal: false, maxSlots: 4 });
  await Deno.writeTextFile(
    `${rig.haproxy.root}/conf/servers.json`,
    '{"pool_1": {"4": {"ip": "127.0.0.1"}}}',
  );
  const [server] = await serversOf(rig);
  assert.deepEqual([server.server, server.status], ["pool_1_4", "not in haproxy.cfg"]);
  assert.equal(server.last_change_s, null);
});

Deno.test("the health tools answer NOT_FOUND for what is not there, and VALIDATION for what can't be", async () => {
  await using rig = await openTools();
  assert.equal((await rig.refused("domain_health", { domain: "no.test" })).code, "NOT_FOUND");
  const backend = await rig.refused("get_server_health", { backend: "nope" });
  assert.equal(backend.code, "NOT_FOUND");
  assert.match(backend.message, /no backend nope/);
  for (const bad of ["a b", "a;b", "ä", 1]) {
    assert.equal((await rig.refused("get_server_health", { backend: bad })).code, "VALIDATION");
  }
  assert.equal((await rig.refused("health", { domain: "a.test" })).code, "VALIDATION");
});

Deno.test("the text is a table", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 1 });
  await checked(rig, /^DOWN/, "pool_1_1");
  const { text } = await rig.call("domain_health", { domain: "a.test" });
  const [sentence, header, row] = text.split("\n");
  assert.equal(sentence, "a.test -> pool_1: down, 0 of 1 servers take requests");
  assert.match(header, /^SERVER +ADDRESS +STATUS +SINCE +WEIGHT +STATE +CHECK$/);
  assert.match(row, /^pool_1_1 +127\.0\.0\.1:1 +DOWN +\d+s +1 +ready +L4CON/);
});
