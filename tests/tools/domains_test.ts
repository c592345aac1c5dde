import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { openTools } from "../support/tools.ts";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: a domain comes, is served, is shared and goes, with no reload`, async () => {
    await using backend = startBackend("one");
    await using rig = await openTools({ version });
    const worker = await rig.haproxy.workerPid();
    assert.equal((await rig.get("example.com")).body.includes("one"), false);

    const added = await rig.call("add_domain", {
      domain: "Example.COM.",
      ip: "127.0.0.1",
      http_port: backend.port,
    });
    assert.deepEqual(added.structured, {
      domain: "example.com",
      pool: "pool_1",
      shared: false,
      wildcard: false,
      servers: [{
        slot: 1,
        name: "pool_1_1",
        ip: "127.0.0.1",
        http_port: backend.port,
        state: "ready",
        weight: 1,
      }],
    });
    assert.equal((await rig.get("example.com")).body, "one\n");

    const shared = await rig.call("add_domain", {
      domain: "www.test.org",
      share_with: "example.com",
    });
    assert.equal(shared.structured.pool, "pool_1");
    assert.equal(shared.structured.shared, true);
    assert.equal((await rig.get("www.test.org")).body, "one\n");

    const first = await rig.call("remove_domain", { domain: "example.com" });
    assert.deepEqual(first.structured, {
      domain: "example.com",
      pool: "pool_1",
      pool_released: false,
      servers_removed: 0,
    });
    assert.equal((await rig.get("www.test.org")).body, "one\n");
    assert.notEqual((await rig.get("example.com")).body, "one\n");

    const last = await rig.call("remove_domain", { domain: "www.test.org" });
    assert.equal(last.structured.pool_released, true);
    assert.equal(last.structured.servers_removed, 1);
    assert.notEqual((await rig.get("www.test.org")).body, "one\n");
    assert.equal(await rig.haproxy.workerPid(), worker);
  });
}

Deno.test("add_domain with wildcard=true routes one label below the domain, too", async () => {
  await using backend = startBackend("wild");
  await using rig = await openTools();
  const place = { ip: "127.0.0.1", http_port: backend.port };
  const { structured } = await rig.call("add_domain", {
    domain: "ex.com",
    wildcard: true,
    ...place,
  });
  assert.equal(structured.wildcard, true);
  assert.equal((await rig.get("ex.com")).body, "wild\n");
  assert.equal((await rig.get("a.ex.com")).body, "wild\n");
  assert.notEqual((await rig.get("a.b.ex.com")).body, "wild\n");
  const map = await rig.file("conf/domains.map");
  assert.match(map, /^ex\.com pool_1\n\.ex\.com pool_1\n/m);

  const { structured: removed } = await rig.call("remove_domain", { domain: "ex.com" });
  assert.equal(removed.pool_released, true);
  assert.notEqual((await rig.get("a.ex.com")).body, "wild\n");
});

Deno.test("add_domain takes *.example.com as the wildcard alone, and IDN as A-labels", async () => {
  await using rig = await openTools();
  const wild = await rig.call("add_domain", { domain: "*.ex.com", ip: "10.0.0.1" });
  assert.deepEqual([wild.structured.domain, wild.structured.wildcard], ["*.ex.com", true]);
  const idn = await rig.call("add_domain", { domain: "Bücher.example", share_with: "*.ex.com" });
  assert.equal(idn.structured.domain, "xn--bcher-kva.example");
  const plain = await rig.call("list_domains");
  assert.equal(plain.text, "• xn--bcher-kva.example -> pool_1 (pool): pool_1_1=10.0.0.1:80");
  const all = await rig.call("list_domains", { include_wildcards: true });
  assert.equal(all.structured.count, 2);
});

Deno.test("add_domain answers CONFLICT, CAPACITY and NOT_FOUND", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "one.test", ip: "10.0.0.1" });
  await rig.call("add_domain", { domain: "two.test" });
  assert.equal((await rig.refused("add_domain", { domain: "ONE.test" })).code, "CONFLICT");
  assert.equal((await rig.refused("add_domain", { domain: "three.test" })).code, "CAPACITY");
  const gone = await rig.refused("add_domain", { domain: "x.test", share_with: "nowhere.test" });
  assert.equal(gone.code, "NOT_FOUND");
  assert.match(gone.message, /nowhere\.test/);
  const both = { domain: "x.test", ip: "10.0.0.1", share_with: "one.test" };
  assert.equal((await rig.refused("add_domain", both)).code, "VALIDATION");
  const twice = { domain: "*.one.test", wildcard: true, share_with: "one.test" };
  assert.equal((await rig.refused("add_domain", twice)).code, "VALIDATION");
});

Deno.test("add_domain takes a pool that was released, and the lowest one", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "one.test", ip: "10.0.0.1" });
  await rig.call("add_domain", { domain: "two.test", ip: "10.0.0.2" });
  await rig.call("remove_domain", { domain: "one.test" });
  const { structured } = await rig.call("add_domain", { domain: "three.test" });
  assert.equal(structured.pool, "pool_1");
});

Deno.test("a domain of the user's own backend is listed and shared, and its servers are left alone", async () => {
  await using rig = await openTools({ domains: "own.test be_own\n" });
  const { text } = await rig.call("list_domains");
  assert.equal(text, "• own.test -> be_own (pool): no servers");
  assert.equal((await rig.refused("list_servers", { domain: "own.test" })).code, "UNSUPPORTED");
  const shared = await rig.call("add_domain", { domain: "also.test", share_with: "own.test" });
  assert.equal(shared.structured.pool, "be_own");
  const removed = await rig.call("remove_domain", { domain: "own.test" });
  assert.equal(removed.structured.pool_released, false);
});

Deno.test("list_domains pages by name, and a page stays right while domains come and go", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "m.test", ip: "10.0.0.1" });
  for (const domain of ["c.test", "a.test", "x.test", "b.test"]) {
    await rig.call("add_domain", { domain, share_with: "m.test" });
  }
  const names = (page: { structured: Record<string, unknown> }) =>
    (page.structured.domains as { domain: string }[]).map(({ domain }) => domain);
  const first = await rig.call("list_domains", { limit: 2 });
  assert.deepEqual(names(first), ["a.test", "b.test"]);
  assert.equal(first.structured.count, 5);
  await rig.call("remove_domain", { domain: "b.test" });
  await rig.call("add_domain", { domain: "bb.test", share_with: "m.test" });
  const second = await rig.call("list_domains", { limit: 2, cursor: first.structured.next_cursor });
  assert.deepEqual(names(second), ["bb.test", "c.test"]);
  const third = await rig.call("list_domains", { limit: 2, cursor: second.structured.next_cursor });
  assert.deepEqual(names(third), ["m.test", "x.test"]);
  assert.equal(third.structured.next_cursor, "");
  assert.equal((await rig.refused("list_domains", { cursor: "%%" })).code, "VALIDATION");
});

Deno.test("remove_domain answers NOT_FOUND, and under MCP_CONFIRM=require asks for confirm=true", async () => {
  await using rig = await openTools({ confirm: "require" });
  await rig.call("add_domain", { domain: "one.test", ip: "10.0.0.1" });
  const asked = await rig.refused("remove_domain", { domain: "one.test" });
  assert.equal(asked.code, "CONFIRMATION_NEEDED");
  assert.match(asked.hint!, /confirm=true/);
  await rig.call("remove_domain", { domain: "one.test", dry_run: true });
  await rig.call("remove_domain", { domain: "one.test", confirm: true });
  const gone = await rig.refused("remove_domain", { domain: "one.test", confirm: true });
  assert.equal(gone.code, "NOT_FOUND");
});

Deno.test("a dry run of a domain change says what would change, and changes nothing", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "one.test", ip: "10.0.0.1" });
  const before = await rig.snapshot();
  const add = await rig.call("add_domain", { domain: "two.test", ip: "10.0.0.2", dry_run: true });
  assert.deepEqual(add.structured.would_change, {
    files: [
      { file: "domains.map", lines: ["+ two.test pool_2"] },
      {
        file: "servers.json",
        lines: ['+ pool_2.1 {"ip":"10.0.0.2","http_port":80,"weight":1,"state":"ready"}'],
      },
    ],
    commands: [
      "set server pool_2/pool_2_1 addr 10.0.0.2 port 80",
      "set server pool_2/pool_2_1 state ready",
      `add map ${rig.haproxy.options.map} two.test pool_2`,
    ],
  });
  assert.match(add.text, /^Dry run, nothing was changed\./);
  await rig.call("remove_domain", { domain: "one.test", dry_run: true });
  assert.deepEqual(await rig.snapshot(), before);
});

Deno.test("comments and the order of lines in domains.map stay", async () => {
  const domains = "# ours\nz.test pool_2\n\n# the rest\na.test pool_1\n";
  await using rig = await openTools({ domains });
  await rig.call("add_domain", { domain: "m.test", share_with: "a.test" });
  await rig.call("remove_domain", { domain: "z.test" });
  const map = await rig.file("conf/domains.map");
  assert.equal(map, "# ours\n\n# the rest\na.test pool_1\nm.test pool_1\n");
});
