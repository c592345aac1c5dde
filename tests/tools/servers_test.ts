import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { openTools, runningSlots } from "../support/tools.ts";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: servers are added, weighed, drained, replaced and removed under requests`, async () => {
    await using one = startBackend("one");
    await using two = startBackend("two");
    await using rig = await openTools({ version });
    const place = (backend: { port: number }) => ({ ip: "127.0.0.1", http_port: backend.port });
    const answers = async () => {
      const seen = new Set<string>();
      for (let i = 0; i < 8; i++) seen.add((await rig.get("s.test")).body.trim());
      return [...seen].sort();
    };
    await rig.call("add_domain", { domain: "s.test", ...place(one) });
    const added = await rig.call("add_server", { domain: "s.test", weight: 7, ...place(two) });
    assert.equal((added.structured.server as { name: string }).name, "pool_1_2");
    assert.equal(added.structured.replaced, false);
    assert.deepEqual(await answers(), ["one", "two"]);

    const drained = await rig.call("set_server_state", {
      domain: "s.test",
      slot: 1,
      state: "drain",
    });
    assert.deepEqual(drained.structured, { server: "pool_1_1", state: "drain", previous: "ready" });
    assert.deepEqual(await answers(), ["two"]);
    const byName = { backend: "pool_1", server: "pool_1_1", state: "ready" };
    assert.equal((await rig.call("set_server_state", byName)).structured.previous, "drain");
    const weighed = await rig.call("set_server_weight", { domain: "s.test", slot: 2, weight: 0 });
    assert.deepEqual(weighed.structured, { server: "pool_1_2", weight: 0, previous: 7 });
    assert.deepEqual(await answers(), ["one"]);

    const replaced = await rig.call("add_server", { domain: "s.test", slot: 1, ...place(two) });
    assert.equal(replaced.structured.replaced, true);
    assert.deepEqual(await answers(), ["two"]);
    const listed = await rig.call("list_servers", { domain: "s.test" });
    const servers = listed.structured.servers as { name: string; status: string; weight: number }[];
    assert.deepEqual(servers.map(({ name, weight }) => [name, weight]), [["pool_1_1", 1], [
      "pool_1_2",
      0,
    ]]);
    assert.match(servers[0].status, /^UP/);

    await rig.call("remove_server", { domain: "s.test", slot: 2 });
    assert.match(await runningSlots(rig.haproxy), /^pool_1_2 127\.0\.0\.1:1 [15] 1$/m);
    assert.equal(
      await rig.file("conf/servers.json"),
      `{\n  "pool_1": {\n    "1": {"ip":"127.0.0.1","http_port":${two.port},"weight":1,"state":"ready"}\n  }\n}\n`,
    );
  });

  Deno.test(`${version}: a request in flight is finished when its server's address changes or it is removed`, async () => {
    await using slow = startBackend("slow");
    await using other = startBackend("other");
    await using rig = await openTools({ version });
    await rig.call("add_domain", { domain: "f.test", ip: "127.0.0.1", http_port: slow.port });
    const first = rig.get("f.test", "/slow?ms=300");
    while (slow.requests === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await rig.call("add_server", {
      domain: "f.test",
      slot: 1,
      ip: "127.0.0.1",
      http_port: other.port,
    });
    assert.equal((await rig.get("f.test")).body, "other\n");
    assert.equal((await first).body, "slow\n");
    const second = rig.get("f.test", "/slow?ms=300");
    while (other.requests < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await rig.call("remove_server", { domain: "f.test", slot: 1, force: true });
    assert.equal((await second).body, "other\n");
  });
}

Deno.test("add_server takes the lowest free slot, and answers CAPACITY when there is none", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "c.test", ip: "10.0.0.1" });
  await rig.call("add_server", { domain: "c.test", slot: 3, ip: "10.0.0.3" });
  const next = await rig.call("add_server", { domain: "c.test", ip: "10.0.0.2" });
  assert.equal((next.structured.server as { slot: number }).slot, 2);
  const full = await rig.refused("add_server", { domain: "c.test", ip: "10.0.0.4" });
  assert.equal(full.code, "CAPACITY");
  assert.equal(full.message, "pool_1 has no free slot (3 of 3 used).");
});

Deno.test("add_servers takes an array or its JSON text, with auto slots beside named ones", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "b.test" });
  const text = JSON.stringify([{ ip: "10.0.0.2" }, {
    slot: 1,
    ip: "2001:DB8:0::1",
    http_port: 8080,
  }]);
  const first = await rig.call("add_servers", { domain: "b.test", servers: text });
  const names = (first.structured.added as { name: string; ip: string }[]).map((s) =>
    `${s.name}=${s.ip}`
  );
  assert.deepEqual(names, ["pool_1_1=2001:db8::1", "pool_1_2=10.0.0.2"]);
  assert.deepEqual(first.structured.failed, []);
  const second = await rig.call("add_servers", {
    domain: "b.test",
    servers: [{ ip: "10.0.0.3", weight: 9 }],
  });
  assert.equal((second.structured.added as { slot: number }[])[0].slot, 3);
});

Deno.test("add_servers writes nothing when one of them is wrong", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "b.test", ip: "10.0.0.1" });
  const before = await rig.snapshot();
  const good = { ip: "10.0.0.9" };
  for (
    const [servers, message] of [
      [[good, { ip: "300.1.1.1" }], /300\.1\.1\.1/],
      [[{ ...good, slot: 2 }, { ...good, slot: 2 }], /slot 2 twice/],
      [[{ ...good, slot: 4 }], /slots 1 to 3/],
      [Array(11).fill(good), /at most 10/],
      [[], /at least one/],
      ["[{", /not JSON/],
      ["{}", /JSON array/],
      [`[{"ip":"10.0.0.1"}]${" ".repeat(10 * 1024)}`, /larger than 10240 bytes/],
      [[{ ...good, colour: "red" }], /servers/],
      ['[{"ip":"10.0.0.1","port":80}]', /servers\[0\]/],
    ] as const
  ) {
    const error = await rig.refused("add_servers", { domain: "b.test", servers });
    assert.equal(error.code, "VALIDATION", JSON.stringify(servers));
    assert.match(error.message, message);
  }
  const many = Array(3).fill(good);
  assert.equal(
    (await rig.refused("add_servers", { domain: "b.test", servers: many })).code,
    "CAPACITY",
  );
  assert.deepEqual(await rig.snapshot(), before);
});

Deno.test("add_servers adds the others when haproxy.cfg lacks a slot, and names the one that failed", async () => {
  await using rig = await openTools({ slots: 2, maxSlots: 3 });
  await rig.call("add_domain", { domain: "b.test" });
  const servers = [1, 2, 3].map((slot) => ({ slot, ip: `10.0.0.${slot}` }));
  const { structured } = await rig.call("add_servers", { domain: "b.test", servers });
  assert.deepEqual((structured.added as { slot: number }[]).map(({ slot }) => slot), [1, 2]);
  const [failed] = structured.failed as { slot: number; name: string; error: string }[];
  assert.deepEqual([failed.slot, failed.name], [3, "pool_1_3"]);
  assert.match(failed.error, /no server pool_1_3/);
  const alone = await rig.refused("add_server", { domain: "b.test", slot: 3, ip: "10.0.0.3" });
  assert.equal(alone.code, "HAPROXY_REJECTED");
  assert.match(alone.hint!, /HAPROXY_MAX_SLOTS/);
});

Deno.test("the last healthy server of a pool in use is kept unless force=true", async () => {
  await using one = startBackend("one");
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "g.test", ip: "127.0.0.1", http_port: one.port });
  for (const state of ["drain", "maint"]) {
    const kept = await rig.refused("set_server_state", { domain: "g.test", slot: 1, state });
    assert.equal(kept.code, "REFUSED");
    assert.match(
      kept.message,
      /pool_1_1 is the last healthy server of pool_1, which serves g\.test/,
    );
    assert.match(kept.hint!, /force=true/);
  }
  assert.equal((await rig.refused("remove_server", { domain: "g.test", slot: 1 })).code, "REFUSED");
  const dry = { domain: "g.test", slot: 1, dry_run: true };
  assert.equal((await rig.refused("remove_server", dry)).code, "REFUSED");
  assert.equal((await rig.get("g.test")).body, "one\n");
  await rig.call("set_server_state", { domain: "g.test", slot: 1, state: "maint", force: true });
  // It is out of service already: nothing is lost by removing it.
  await rig.call("remove_server", { domain: "g.test", slot: 1 });
});

Deno.test("a server that HAProxy finds DOWN does not count as healthy", async () => {
  await using one = startBackend("one");
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "h.test", ip: "127.0.0.1", http_port: one.port });
  await rig.call("add_server", { domain: "h.test", ip: "127.0.0.1", http_port: 1 });
  const status = async () => {
    const { structured } = await rig.call("list_servers", { domain: "h.test" });
    return (structured.servers as { status: string }[])[1].status;
  };
  for (let i = 0; i < 200 && !(await status()).startsWith("DOWN"); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.match(await status(), /^DOWN/);
  const kept = await rig.refused("set_server_state", { domain: "h.test", slot: 1, state: "drain" });
  assert.equal(kept.code, "REFUSED");
  await rig.call("remove_server", { domain: "h.test", slot: 2 });
});

Deno.test("a server that was DOWN serves at once at its new address", async () => {
  await using one = startBackend("one");
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "d.test", ip: "127.0.0.1", http_port: 1 });
  const state = () => rig.haproxy.runtime("show stat pool_1 4 -1");
  for (let i = 0; i < 200 && !(await state()).includes("DOWN"); i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await rig.call("add_server", { domain: "d.test", slot: 1, ip: "127.0.0.1", http_port: one.port });
  assert.equal((await rig.get("d.test")).body, "one\n");
});

Deno.test("set_domain_state sets all servers, and answers NOT_FOUND for an empty pool", async () => {
  await using rig = await openTools({ confirm: "require" });
  await rig.call("add_domain", { domain: "s.test", ip: "10.0.0.1" });
  await rig.call("add_server", { domain: "s.test", ip: "10.0.0.2" });
  await rig.call("add_domain", { domain: "empty.test" });
  const args = { domain: "s.test", state: "maint" };
  assert.equal((await rig.refused("set_domain_state", args)).code, "CONFIRMATION_NEEDED");
  const { structured } = await rig.call("set_domain_state", { ...args, confirm: true });
  assert.deepEqual((structured.servers as { state: string }[]).map(({ state }) => state), [
    "maint",
    "maint",
  ]);
  assert.match(
    await runningSlots(rig.haproxy),
    /pool_1_1 10\.0\.0\.1:80 5 1\npool_1_2 10\.0\.0\.2:80 5 1/,
  );
  const empty = await rig.refused("set_domain_state", {
    domain: "empty.test",
    state: "ready",
    confirm: true,
  });
  assert.equal(empty.code, "NOT_FOUND");
});

Deno.test("a server is named by one pair: domain and slot, or backend and server", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  for (
    const address of [
      {},
      { domain: "a.test" },
      { slot: 1 },
      { backend: "pool_1" },
      { domain: "a.test", server: "pool_1_1" },
      { domain: "a.test", slot: 1, backend: "pool_1", server: "pool_1_1" },
    ]
  ) {
    const error = await rig.refused("set_server_weight", { ...address, weight: 1 });
    assert.equal(error.code, "VALIDATION", JSON.stringify(address));
  }
  for (
    const address of [
      { domain: "a.test", slot: 2 },
      { backend: "pool_9", server: "pool_9_1" },
      { backend: "pool_1", server: "pool_2_1" },
      { backend: "be_unknown", server: "x" },
      { backend: "pool_1;x", server: "pool_1_1" },
    ]
  ) {
    const error = await rig.refused("set_server_weight", { ...address, weight: 1 });
    assert.equal(error.code, "NOT_FOUND", JSON.stringify(address));
  }
});

Deno.test("a dry run of a server change says what would change, and changes nothing", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  await rig.call("add_server", { domain: "a.test", ip: "10.0.0.2" });
  const before = await rig.snapshot();
  const dry_run = true;
  const commands = async (name: string, args: object) => {
    const { structured } = await rig.call(name, { domain: "a.test", ...args, dry_run });
    return (structured.would_change as { commands: string[] }).commands;
  };
  assert.deepEqual(await commands("add_server", { slot: 1, ip: "10.0.0.9", weight: 4 }), [
    "set server pool_1/pool_1_1 addr 10.0.0.9 port 80",
    "set server pool_1/pool_1_1 weight 4",
  ]);
  assert.deepEqual(await commands("remove_server", { slot: 2 }), [
    "set server pool_1/pool_1_2 state maint",
    "set server pool_1/pool_1_2 addr 127.0.0.1 port 1",
  ]);
  assert.deepEqual(await commands("set_server_state", { slot: 1, state: "drain" }), [
    "set server pool_1/pool_1_1 state drain",
  ]);
  assert.deepEqual(await commands("set_server_weight", { slot: 1, weight: 1 }), []);
  assert.equal((await commands("set_domain_state", { state: "drain" })).length, 2);
  assert.equal((await commands("add_servers", { servers: [{ ip: "10.0.0.3" }] })).length, 2);
  assert.deepEqual(await rig.snapshot(), before);
});

Deno.test("which server is the last healthy one disk says, also while HAProxy lacks a change: that is made up for with this one", async () => {
  await using one = startBackend("one");
  await using rig = await openTools({ heal: false });
  const slot = (slot: number) => ({ domain: "l.test", slot });
  const at = { ip: "127.0.0.1", http_port: one.port };
  const byHand = (change: string) => rig.haproxy.runtime(`set server pool_1/${change}`);
  await rig.call("add_domain", { domain: "l.test", ...at });
  await rig.call("add_server", { ...slot(2), ...at });
  for (const lost of ["state maint", "state drain", "weight 0"]) {
    await byHand(`pool_1_2 ${lost}`);
    await rig.call("set_server_state", { ...slot(1), state: "maint" });
    assert.equal((await rig.get("l.test")).body, "one\n", lost);
    await rig.call("set_server_state", { ...slot(1), state: "ready" });
  }
  const isKept = async (circumstance: string) => {
    const removed = await rig.refused("remove_server", slot(1));
    const rested = await rig.refused("set_server_state", { ...slot(1), state: "maint" });
    assert.deepEqual([removed.code, rested.code], ["REFUSED", "REFUSED"], circumstance);
  };
  for (const state of ["maint", "drain"]) {
    await rig.call("set_server_state", { ...slot(2), state });
    await byHand("pool_1_2 state ready");
    await isKept(`${state} of the other one is lost`);
    for (const lost of ["state maint", "state drain", "weight 0"]) {
      await byHand(`pool_1_1 ${lost}`);
      await isKept(`its own ${lost}`);
      await byHand("pool_1_1 state ready");
      await byHand("pool_1_1 weight 1");
    }
  }
  // What HAProxy has been given by hand alone goes with the change.
  await byHand(`pool_1_3 addr 127.0.0.1 port ${one.port}`);
  await byHand("pool_1_3 state ready");
  await isKept("a third one is HAProxy's alone");
});
