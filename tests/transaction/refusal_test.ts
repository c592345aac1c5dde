/** What HAProxy refuses, or loses half-way, is taken back on both sides. */
import assert from "node:assert/strict";
import { faultProxy } from "../support/fault_proxy.ts";
import { HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import {
  openMoreTools,
  openTools,
  runningMap,
  runningSlots,
  snapshot,
  toolsSettings,
} from "../support/tools.ts";

async function behindProxy(version: typeof HAPROXY_VERSIONS[number]) {
  const haproxy = await startHaproxy({ version, pools: 2, slots: 3 });
  const proxy = faultProxy(haproxy.options.api);
  const { haproxy: shape } = toolsSettings(haproxy);
  const rig = await openMoreTools(haproxy, {
    haproxy: { ...shape, port: proxy.port },
    heal: false,
  });
  return {
    haproxy,
    proxy,
    rig,
    async [Symbol.asyncDispose]() {
      await rig[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await haproxy[Symbol.asyncDispose]();
    },
  };
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: a change whose last command is refused is undone in HAProxy and on disk`, async () => {
    await using set = await behindProxy(version);
    const { haproxy, proxy, rig } = set;
    await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
    const before = await snapshot(haproxy);
    proxy.decide = (line) => line.startsWith("add map") ? "refuse" : "pass";
    const error = await rig.refused("add_domain", { domain: "b.test", ip: "10.0.0.2" });
    assert.equal(error.code, "HAPROXY_REJECTED");
    assert.match(error.message, /No such (backend|server)/);
    assert.ok(proxy.lines.some((line) => line.includes("pool_2/pool_2_1 addr 10.0.0.2")));
    assert.deepEqual(await snapshot(haproxy), before);
    proxy.decide = () => "pass";
    await rig.reopen();
    assert.deepEqual(await snapshot(haproxy), before);
    await rig.call("add_domain", { domain: "b.test", ip: "10.0.0.2" });
  });
}

Deno.test("each command of a change may be the one that is refused", async () => {
  await using set = await behindProxy("3.2");
  const { haproxy, proxy, rig } = set;
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  await rig.call("add_server", { domain: "a.test", ip: "10.0.0.2", weight: 5 });
  await rig.call("set_server_state", { domain: "a.test", slot: 2, state: "drain" });
  const before = await snapshot(haproxy);
  const changes: [string, object, number][] = [
    ["add_domain", { domain: "b.test", ip: "10.0.0.3", wildcard: true }, 4],
    ["remove_domain", { domain: "a.test" }, 6],
    ["add_server", { domain: "a.test", slot: 2, ip: "10.0.0.9", weight: 9 }, 3],
    ["add_server", { domain: "a.test", ip: "10.0.0.9", weight: 9 }, 3],
    ["remove_server", { domain: "a.test", slot: 2 }, 3],
    ["set_domain_state", { domain: "a.test", state: "maint" }, 2],
  ];
  for (const [name, args, commands] of changes) {
    for (let nth = 1; nth <= commands; nth++) {
      let seen = 0;
      proxy.decide = (line) =>
        /^(set server|(add|set|del) map) /.test(line) && ++seen === nth ? "refuse" : "pass";
      const error = await rig.refused(name, args);
      assert.equal(error.code, "HAPROXY_REJECTED", `${name}, command ${nth}`);
      assert.ok(seen >= nth, `${name} sent ${seen} commands`);
      assert.deepEqual(await snapshot(haproxy), before, `${name}, command ${nth}`);
    }
  }
});

Deno.test("a connection cut at any command leaves none of the change on disk, and healing takes it from HAProxy", async () => {
  await using set = await behindProxy("3.2");
  const { haproxy, proxy, rig } = set;
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const before = await snapshot(haproxy);
  for (const fate of ["cut", "cut after"] as const) {
    for (let nth = 1; nth <= 3; nth++) {
      let seen = 0;
      // The agent's attempts to undo are cut, too: HAProxy is gone for it.
      proxy.decide = (line) => {
        if (seen >= nth) return "cut";
        return /^(set server|add map) /.test(line) && ++seen === nth ? fate : "pass";
      };
      const error = await rig.refused("add_domain", { domain: "b.test", ip: "10.0.0.2" });
      assert.equal(error.code, "HAPROXY_UNREACHABLE");
      proxy.decide = () => "pass";
      // Another process finds it in the journal.
      await using healer = await openMoreTools(haproxy, { heal: false });
      await healer.context.transactions.finish();
      assert.deepEqual(await snapshot(haproxy), before, `${fate} at ${nth}`);
    }
  }
});

Deno.test("drift of a pool is put right by a change that touches it", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  await rig.call("add_server", { domain: "a.test", ip: "10.0.0.2" });
  await rig.haproxy.runtime("set server pool_1/pool_1_1 weight 99");
  await rig.haproxy.runtime("set server pool_1/pool_1_3 state ready");
  await rig.haproxy.runtime(`set map ${rig.haproxy.options.map} a.test pool_2`);
  await rig.call("set_server_state", { domain: "a.test", slot: 2, state: "ready" });
  assert.match(
    await runningSlots(rig.haproxy),
    /pool_1_1 10\.0\.0\.1:80 4 1\n.*\npool_1_3 127\.0\.0\.1:1 5 1/,
  );
  assert.equal((await rig.refused("add_domain", { domain: "a.test" })).code, "CONFLICT");
  assert.match(await runningMap(rig.haproxy), /a\.test pool_2/);
  await rig.call("remove_domain", { domain: "a.test" });
  assert.equal(await runningMap(rig.haproxy), "");
});

Deno.test("a key that stands in HAProxy's map several times goes altogether", async () => {
  for (const version of HAPROXY_VERSIONS) {
    await using rig = await openTools({ version });
    await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
    for (let i = 0; i < 3; i++) {
      await rig.haproxy.runtime(`add map ${rig.haproxy.options.map} a.test pool_2`);
    }
    await rig.call("remove_domain", { domain: "a.test" });
    assert.equal(await runningMap(rig.haproxy), "", version);
  }
});

Deno.test("a pool that haproxy.cfg lacks is HAPROXY_REJECTED, and the hint names the settings", async () => {
  await using rig = await openTools({ pools: 1, poolCount: 2 });
  await rig.call("add_domain", { domain: "a.test" });
  const before = await rig.snapshot();
  const error = await rig.refused("add_domain", { domain: "b.test", ip: "10.0.0.1" });
  assert.equal(error.code, "HAPROXY_REJECTED");
  assert.match(error.hint!, /HAPROXY_POOL_COUNT/);
  assert.deepEqual(await rig.snapshot(), before);
});

Deno.test("two spellings of the map are refused with their list, and HAPROXY_MAP_NAME settles it", async () => {
  const other = (root: string) => `${root}/conf/./domains.map`;
  const edit = (root: string) => (config: string) =>
    config.replace(
      /^frontend fe_http\n/m,
      (line) =>
        `${line}    http-request set-var(txn.other) req.hdr(host),map_str(${other(root)})\n`,
    );
  const root = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    await using rig = await openTools({
      root,
      edit: edit(root),
      heal: false,
    });
    const error = await rig.refused("add_domain", { domain: "a.test" });
    assert.equal(error.code, "CONFLICT");
    assert.deepEqual(
      [...error.details!.maps as string[]].sort(),
      [other(root), rig.haproxy.options.map].sort(),
    );
    assert.match(error.hint!, /HAPROXY_MAP_NAME/);
    const { haproxy: shape } = toolsSettings(rig.haproxy);
    await using named = await openMoreTools(rig.haproxy, {
      haproxy: { ...shape, mapName: rig.haproxy.options.map },
    });
    await named.call("add_domain", { domain: "a.test" });
    assert.equal(await runningMap(rig.haproxy), "a.test pool_1");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("a restore that breaks off after its servers were put in place does not say that nothing was changed", async () => {
  await using set = await behindProxy("3.2");
  const { haproxy, proxy, rig } = set;
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  await rig.call("save_state");
  await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 9 });
  let sent = false;
  proxy.decide = (line) => {
    sent ||= line.includes("pool_1/pool_1_1 weight 1");
    return sent && line.includes("show info") ? "cut" : "pass";
  };
  const error = await rig.refused("restore_state", { source: "state_file" });
  assert.equal(error.code, "OUTCOME_UNKNOWN");
  assert.match(
    error.message,
    /^The servers are restored and kept; .* not known: HAProxy's Runtime/,
  );
  assert.match(await runningSlots(haproxy), /^pool_1_1 10\.0\.0\.1:80 4 1$/m);
  proxy.decide = () => "pass";
  await rig.reopen();
  assert.match(await runningSlots(haproxy), /^pool_1_1 10\.0\.0\.1:80 4 1$/m);
});
