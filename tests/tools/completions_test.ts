/** What is offered to a person who types an argument. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { complete } from "../../tools/completions.ts";
import { measure } from "../../tools/measure.ts";
import { openTools, type ToolRig } from "../support/tools.ts";

const values = async (
  { context }: ToolRig,
  argument: string,
  value = "",
  given: Record<string, string> = {},
) => (await complete({ argument, value, given }, context)).values;

Deno.test("complete: domains by their beginning, wildcards where a star is typed", async () => {
  await using rig = await openTools({
    domains: "b.test pool_1\na.test pool_1\n.a.test pool_1\nab.test pool_2\n",
  });
  assert.deepEqual(await values(rig, "domain"), ["a.test", "*.a.test", "ab.test", "b.test"]);
  assert.deepEqual(await values(rig, "domain", "A"), ["a.test", "*.a.test", "ab.test"]);
  assert.deepEqual(await values(rig, "domain", "a.t"), ["a.test", "*.a.test"]);
  assert.deepEqual(await values(rig, "domain", "*.a"), ["*.a.test"]);
  assert.deepEqual(await values(rig, "domain", "*"), ["*.a.test"]);
  assert.deepEqual(await values(rig, "domain", "x"), []);
  assert.deepEqual(await values(rig, "domain", "ü"), []);
});

Deno.test("complete: backends and slots, narrowed by what is filled in already", async () => {
  await using rig = await openTools({ domains: "a.test pool_2\nb.test pool_1\nc.test own\n" });
  for (const slot of [3, 1]) {
    await rig.call("add_server", { domain: "a.test", slot, ip: "10.0.0.1" });
  }
  await rig.call("add_server", { domain: "b.test", ip: "10.0.0.2" });
  assert.deepEqual(await values(rig, "backend"), ["pool_1", "pool_2", "own"]);
  assert.deepEqual(await values(rig, "backend", "pool_2"), ["pool_2"]);
  assert.deepEqual(await values(rig, "slot", "", { domain: "a.test" }), ["1", "3"]);
  assert.deepEqual(await values(rig, "slot", "", { domain: "not a domain" }), ["1", "2", "3"]);
  assert.deepEqual(await values(rig, "http_port", "8"), []);
});

Deno.test("complete: a hundred values at most, and whether there are more", async () => {
  const map = Array.from({ length: 300 }, (_, i) => `d${i}.test pool_1\n`).join("");
  await using rig = await openTools({ domains: map });
  const { values, total, hasMore } = await complete(
    { argument: "domain", value: "d", given: {} },
    rig.context,
  );
  assert.deepEqual([values.length, total, hasMore], [100, 300, true]);
});

Deno.test("measure: HAProxy, what differs, counts and certificates; and that HAProxy is down", async () => {
  await using rig = await openTools({ domains: "a.test pool_1\n" });
  await rig.call("add_server", { domain: "a.test", ip: "10.0.0.1" });
  const look = () => measure(rig.context, new AbortController().signal);
  const before = await look();
  assert.equal(before.haproxy.up, true);
  assert.ok(before.haproxy.ok > 0 && before.haproxy.seconds > 0);
  assert.deepEqual(before.sync, { domains: 0, servers: 0, certificates: 0, problems: 0 });
  assert.deepEqual([before.domains, before.servers], [1, 1]);
  assert.equal(before.certificates[0].domain, "default");
  assert.ok(before.certificates[0].days! > 300);

  await rig.haproxy.runtime(`add map ${rig.haproxy.options.map} stray.test pool_1`);
  assert.equal((await look()).sync?.domains, 1);
  // Held up, it says nothing: what disk says is told before a scraper gives up.
  const pid = await rig.haproxy.workerPid();
  Deno.kill(pid, "SIGSTOP");
  const late = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer within 10 s")), 10_000);
    Deno.unrefTimer(timer);
  });
  try {
    const hung = await Promise.race([look(), late]);
    assert.deepEqual([hung.haproxy.up, hung.sync, hung.domains], [false, undefined, 1]);
    assert.equal(hung.certificates[0].domain, "default");
  } finally {
    Deno.kill(pid, "SIGCONT");
  }
  await rig.haproxy.kill9();
  const { haproxy, sync } = await look();
  assert.deepEqual([haproxy.up, sync], [false, undefined]);
  assert.ok(haproxy.failed > 0);

  // Files that can't be read say nothing of HAProxy.
  const map = join(rig.haproxy.root, "conf/domains.map");
  await Deno.writeTextFile(map, "a.test\n");
  const broken = await look();
  assert.deepEqual([broken.haproxy.up, broken.sync, broken.domains], [false, undefined, undefined]);
  await Deno.writeTextFile(map, "a.test pool_1\n");
  await rig.haproxy.start();
  await Deno.writeTextFile(map, "a.test\n");
  assert.deepEqual([(await look()).haproxy.up, (await look()).sync], [true, undefined]);
});
