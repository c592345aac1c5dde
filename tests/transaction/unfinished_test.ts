/** What was left half-way, where two processes on one root know of it: the one that comes later leaves it alone. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { faultProxy } from "../support/fault_proxy.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { openMoreTools, runningMap, toolsSettings } from "../support/tools.ts";

/** Two processes, one of them behind a proxy. */
async function openTwo() {
  await using starting = new AsyncDisposableStack();
  const haproxy = starting.use(await startHaproxy({ pools: 3, slots: 3 }));
  const proxy = starting.use(faultProxy(haproxy.options.api));
  const { haproxy: shape } = toolsSettings(haproxy);
  const behind = { haproxy: { ...shape, port: proxy.port }, heal: false };
  const one = starting.use(await openMoreTools(haproxy, behind));
  const two = starting.use(await openMoreTools(haproxy, { heal: false }));
  const journal = join(haproxy.root, "data/journal/changes.jsonl");
  const moved = starting.move();
  return { haproxy, proxy, one, two, journal, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

Deno.test("what another process has finished, and then changed, is not taken back", async () => {
  await using set = await openTwo();
  const { haproxy, proxy, one, two, journal } = set;
  await two.call("add_domain", { domain: "a.test" });
  const changes = [{ kind: "map", key: "b.test", before: null, after: "pool_3" }];
  const cutOff = { t: "change", seq: 9, tool: "haproxy_add_domain", changes };
  await Deno.writeTextFile(journal, `${JSON.stringify(cutOff)}\n`);
  proxy.decide = () => "cut";
  const away = await one.refused("add_domain", { domain: "c.test" });
  assert.equal(away.code, "HAPROXY_UNREACHABLE");

  await two.call("remove_domain", { domain: "b.test" });
  await two.call("add_domain", { domain: "b.test", share_with: "a.test" });
  // HAProxy refuses to tell of just that key: whoever still wanted to carry it out would give it up.
  proxy.decide = (line) => /get map \S+ b\.test/.test(line) ? "refuse" : "pass";
  await one.call("add_domain", { domain: "c.test" });
  const map = "a.test pool_1\nb.test pool_1\nc.test pool_2";
  assert.equal(await runningMap(haproxy), map);
  assert.match(await one.file("conf/domains.map"), /^b\.test pool_1$/m);
});

Deno.test("calls that fail together are taken back together: what may come late is waited for once", async () => {
  await using set = await openTwo();
  const { proxy, one, journal } = set;
  await one.call("add_domain", { domain: "a.test" });
  let cut = false;
  proxy.decide = (line) => {
    if (cut) return "cut";
    cut = line.startsWith("add map");
    return cut ? "cut after" : "pass";
  };
  const domains = Array.from({ length: 8 }, (_, i) => `*.b${i}.test`);
  const refused = await Promise.all(
    domains.map((domain) => one.refused("add_domain", { domain, share_with: "a.test" })),
  );
  assert.deepEqual(new Set(refused.map(({ code }) => code)), new Set(["HAPROXY_UNREACHABLE"]));
  proxy.decide = () => "pass";
  const before = proxy.lines.length;
  await one.context.transactions.finish();
  // Each conversation begins with it: one to take back, one for what is late.
  const conversations = proxy.lines.slice(before).filter((line) => line === "show map");
  assert.equal(conversations.length, 2);
  assert.equal((await Deno.stat(journal)).size, 0);
});

Deno.test("a change that HAProxy lost leaves nothing in the journal, whoever rids HAProxy of it", async () => {
  await using set = await openTwo();
  const { proxy, one, two, journal } = set;
  const size = async () => (await Deno.stat(journal)).size;
  const lost = async () => {
    let cut = false;
    proxy.decide = (line) => {
      if (cut) return "cut";
      cut = line.startsWith("add map");
      return cut ? "cut after" : "pass";
    };
    const { code } = await one.refused("add_domain", { domain: "a.test" });
    assert.equal(code, "HAPROXY_UNREACHABLE");
    assert.ok(await size() > 0);
  };

  await lost();
  await two.refused("remove_domain", { domain: "a.test" });
  assert.equal(await size(), 0);
  proxy.decide = () => "pass";
  await one.context.transactions.finish();
  assert.equal(await size(), 0);

  await lost();
  proxy.decide = () => "pass";
  await one.refused("remove_domain", { domain: "a.test" });
  assert.equal(await size(), 0);
});
