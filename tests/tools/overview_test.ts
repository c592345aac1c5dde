/** What the status page is told, on a real HAProxy: who serves what, what needs a look, what differs. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Overview } from "../../lib/overview.ts";
import { openOverviews } from "../../tools/overview.ts";
import { startBackend } from "../support/backend.ts";
import { eventually } from "../support/eventually.ts";
import { openTools, type ToolRig } from "../support/tools.ts";

const read = (rig: ToolRig, search = "", page = 1): Promise<Overview> =>
  openOverviews(rig.context).read({ search, page });

const names = ({ backends }: Overview) => backends.list.map(({ name }) => name);

Deno.test("overview: domains, their pool, its servers with state, check, connections and weight", async () => {
  await using rig = await openTools();
  await using site = startBackend("one");
  const port = site.port;
  await rig.call("add_domain", { domain: "b.test", ip: "127.0.0.1", http_port: port });
  await rig.call("add_domain", { domain: "a.test", share_with: "b.test" });
  await rig.call("add_server", {
    domain: "b.test",
    ip: "127.0.0.1",
    http_port: port,
    weight: 7,
  });
  await rig.call("set_server_state", { domain: "b.test", slot: 2, state: "drain" });
  const isUp = async () => (await read(rig)).backends.list[0].standing === "up";
  await eventually(isUp);
  const overview = await read(rig);
  const [{ servers, ...pool }] = overview.backends.list;
  assert.deepEqual(pool, {
    name: "pool_1",
    domains: ["a.test", "b.test"],
    domainCount: 2,
    standing: "up",
    healthy: 1,
  });
  const [first, second] = servers;
  assert.equal(first.address, `127.0.0.1:${port}`);
  assert.match(first.status, /^UP/);
  assert.deepEqual([first.name, first.healthy, first.state, first.weight], [
    "pool_1_1",
    true,
    "ready",
    1,
  ]);
  assert.match(second.status, /^DRAIN/);
  assert.deepEqual([second.healthy, second.state, second.weight], [false, "drain", 7]);
  assert.deepEqual([overview.domains, overview.servers, overview.healthy], [2, 2, 1]);
  assert.deepEqual([overview.troubles, overview.troubleCount], [[], 0]);
  assert.equal(overview.haproxy.process?.pid, await rig.haproxy.workerPid());
});

Deno.test("overview: what needs a look is what is down, degraded, or nowhere; not what was switched off", async () => {
  await using rig = await openTools({ pools: 4, slots: 2 });
  await using site = startBackend("one");
  const up = { ip: "127.0.0.1", http_port: site.port };
  const dead = { ip: "127.0.0.1", http_port: 1 };
  await rig.call("add_domain", { domain: "down.test", ...dead });
  await rig.call("add_domain", { domain: "half.test", ...up });
  await rig.call("add_server", { domain: "half.test", ...dead });
  await rig.call("add_domain", { domain: "off.test", ...up });
  await rig.call("set_domain_state", { domain: "off.test", state: "maint", confirm: true });
  await rig.call("add_domain", { domain: "empty.test" });
  await eventually(async () => (await read(rig)).troubleCount === 2);
  const overview = await read(rig);
  assert.deepEqual(overview.troubles.map(({ domain, standing }) => [domain, standing]), [
    ["down.test", "down"],
    ["half.test", "degraded"],
  ]);
  assert.deepEqual(overview.backends.list.map(({ standing }) => standing), [
    "down",
    "empty",
    "degraded",
    "off",
  ]);
});

Deno.test("overview: the search finds domains, pools, servers and addresses", async () => {
  await using rig = await openTools({ pools: 3 });
  await rig.call("add_domain", { domain: "shop.test", ip: "10.1.2.3", wildcard: true });
  await rig.call("add_domain", { domain: "blog.test", ip: "10.9.9.9" });
  await rig.call("add_domain", { domain: "shop.example", share_with: "blog.test" });
  assert.deepEqual(names(await read(rig)), ["pool_2", "pool_1"]);
  assert.deepEqual(names(await read(rig, "shop")), ["pool_2", "pool_1"]);
  assert.deepEqual(names(await read(rig, "shop.t")), ["pool_1"]);
  assert.deepEqual(names(await read(rig, "*.shop")), ["pool_1"]);
  assert.deepEqual(names(await read(rig, "10.9")), ["pool_2"]);
  assert.deepEqual(names(await read(rig, "pool_1_1")), ["pool_1"]);
  assert.deepEqual(names(await read(rig, "POOL_2")), ["pool_2"]);
  const none = await read(rig, "nothing");
  assert.deepEqual([none.backends.count, none.domains], [0, 4]);
  const [found] = (await read(rig, "shop.e")).backends.list;
  assert.deepEqual([found.domains, found.domainCount], [["shop.example"], 2]);
});

Deno.test("overview: of a thousand pools a hundred are listed at a time, of a thousand domains twenty", async () => {
  const pools = 120;
  const own = Array.from(
    { length: pools },
    (_, i) => `d${String(i).padStart(3, "0")}.test pool_${i + 1}`,
  );
  const shared = Array.from({ length: 1_000 }, (_, i) => `x${i}.test pool_1`);
  await using rig = await openTools({
    pools,
    slots: 1,
    domains: [...own, ...shared].join("\n") + "\n",
  });
  const first = await read(rig);
  const { count, page, pages, list } = first.backends;
  assert.deepEqual([count, page, pages, list.length], [120, 1, 2, 100]);
  assert.deepEqual([list[0].name, list[99].name], ["pool_1", "pool_100"]);
  assert.deepEqual([list[0].domains.length, list[0].domainCount], [20, 1_001]);
  assert.deepEqual(names(await read(rig, "", 2)).at(-1), "pool_120");
  assert.equal((await read(rig, "", 99)).backends.page, 2);
  assert.deepEqual(names(await read(rig, "x999")), ["pool_1"]);
  assert.ok(JSON.stringify(first).length < 60_000);
});

Deno.test("overview: while HAProxy is down it says so, and what disk says", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  await rig.call("set_server_state", {
    domain: "a.test",
    slot: 1,
    state: "drain",
    force: true,
  });
  await rig.haproxy.kill9();
  const overview = await read(rig);
  assert.match(overview.haproxy.problem ?? "", /can't be reached/);
  assert.equal(overview.haproxy.process, undefined);
  assert.equal(overview.healthy, undefined);
  assert.equal(overview.sync.known, false);
  const [{ standing, servers }] = overview.backends.list;
  assert.equal(standing, "unseen");
  assert.deepEqual([servers[0].address, servers[0].status, servers[0].state], [
    "10.0.0.1:80",
    "",
    "drain",
  ]);
  assert.deepEqual(overview.certificates.list.map(({ name }) => name), ["default"]);
  assert.equal(overview.changes[0].tool, "haproxy_set_server_state");
});

Deno.test("overview: what disk and HAProxy differ in", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const overviews = openOverviews(rig.context);
  const sync = async () => (await overviews.read({ search: "", page: 1 })).sync;
  await eventually(async () => (await sync()).known);
  assert.deepEqual(await sync(), { known: true, differences: [], count: 0, problems: [] });
  const { runtime, options } = rig.haproxy;
  await runtime(`add map ${options.map} stray.test pool_2`);
  await runtime("set server pool_1/pool_1_1 state maint");
  await eventually(async () => {
    const found = await sync();
    return found.known && found.count === 2;
  }, 20_000);
  const found = await sync();
  assert.deepEqual(found.known && [...found.differences].sort(), [
    "domain stray.test",
    "server pool_1_1",
  ]);
});

Deno.test("overview: files that can't be read are said, and what HAProxy runs is shown", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  await rig.file("conf/servers.json");
  await Deno.writeTextFile(join(rig.haproxy.root, "conf/servers.json"), "{ broken");
  const overview = await read(rig);
  assert.match(overview.filesProblem ?? "", /servers\.json/);
  assert.ok(overview.haproxy.process);
});

Deno.test("overview: certificates with days left, and who renews them", async () => {
  await using rig = await openTools();
  const { certificates } = await read(rig);
  assert.equal(certificates.count, 1);
  const [{ name, days, renewal, problem }] = certificates.list;
  assert.deepEqual([name, renewal, problem], ["default", "", ""]);
  assert.ok(days !== null && days > 300);
});

Deno.test("overview: the last changes, the newest first; no dry runs, and nothing of a line that is broken", async () => {
  await using rig = await openTools();
  assert.deepEqual((await read(rig)).changes, []);
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  await rig.call("add_domain", { domain: "b.test", dry_run: true });
  await rig.refused("add_domain", { domain: "a.test" });
  await Deno.writeTextFile(join(rig.haproxy.root, "data/audit.jsonl"), "nonsense\n", {
    append: true,
  });
  const { changes } = await read(rig);
  assert.deepEqual(changes.map(({ code, args }) => [code, args]), [
    ["CONFLICT", "domain=a.test"],
    ["OK", "domain=a.test ip=10.0.0.1"],
  ]);
  assert.deepEqual([changes[0].who, changes[0].tool], ["test", "haproxy_add_domain"]);
});

Deno.test("overview: many who ask at once share their looks at HAProxy", async () => {
  await using rig = await openTools({ heal: false });
  const overviews = openOverviews(rig.context);
  await overviews.read({ search: "", page: 1 });
  await eventually(async () => (await overviews.read({ search: "", page: 1 })).sync.known);
  const before = rig.context.runtime.statistics.ok;
  await Promise.all(
    Array.from({ length: 50 }, (_, i) => overviews.read({ search: String(i), page: 1 })),
  );
  assert.ok(rig.context.runtime.statistics.ok - before < 10);
});
