/** `serve` and `stdio` as processes: how they end, what else may listen, and which of the two is up first. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { runAgent, startServe } from "../support/agent.ts";
import { startBackend } from "../support/backend.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { ERAS } from "../support/mcp_client.ts";
import { runningMap, snapshot } from "../support/tools.ts";
import { bodyOf, get, openSite } from "./site.ts";

for (const era of ERAS) {
  Deno.test(`SIGTERM during calls of a ${era} client: they are answered, then serve ends with 0`, async () => {
    await using one = startBackend("one");
    await using site = await openSite({ era, pools: 20 });
    const { haproxy, http, agent } = site;
    await http.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
    const slow = get(haproxy, "a.test", "/slow?ms=1500");
    while (one.requests === 0) await delay(5);
    await http.call("set_server_state", { domain: "a.test", slot: 1, state: "drain", force: true });
    const drained = http.call("wait_drain", { domain: "a.test", timeout: 10 });
    await delay(300);
    const added = Array.from(
      { length: 8 },
      (_, i) => http.call("add_domain", { domain: `d${i}.test` }),
    );
    // Under way when the signal comes: what only arrives after it may be turned away.
    await Promise.race(added);
    const ended = agent.end("SIGTERM");
    assert.deepEqual((await drained).structured.remaining, []);
    await Promise.all(added);
    assert.equal(await ended, 0);
    assert.equal((await slow).body, "one\n");
    assert.equal((await runningMap(haproxy)).split("\n").length, 9);
    await assert.rejects(http.call("list_domains"));
  });
}

Deno.test("a second serve on the same port: one line that says so, exit 4, and the first one goes on", async () => {
  await using site = await openSite();
  await site.http.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const before = await snapshot(site.haproxy);
  const env = { MCP_PORT: String(site.agent.port), LOG_LEVEL: "ERROR" };
  const { code, stderr } = await runAgent(site.haproxy, ["serve"], { env });
  assert.equal(code, 4);
  assert.match(stderr, /^haproxy-mcp: .*"127\.0\.0\.1:\d+".*in use.*\n$/);
  assert.equal((await site.http.call("list_domains")).structured.count, 1);
  assert.deepEqual(await snapshot(site.haproxy), before);
});

Deno.test("serve starts where HAProxy is not up yet, and brings it in line within 2 s of its start", async () => {
  await using one = startBackend("one");
  await using haproxy = await startHaproxy({ pools: 2, slots: 3 });
  await haproxy.stop();
  await using agent = await startServe(haproxy);
  const http = await agent.connect();
  const early = await http.refused("add_domain", { domain: "a.test" });
  assert.equal(early.code, "HAPROXY_UNREACHABLE");
  // What HAProxy does not read by itself: servers.json, written by hand, with no state file.
  const server = { ip: "127.0.0.1", http_port: one.port, weight: 7, state: "ready" };
  await Deno.writeTextFile(
    `${haproxy.root}/conf/servers.json`,
    JSON.stringify({ pool_2: { 1: server } }),
  );
  await Deno.writeTextFile(haproxy.options.map, "a.test pool_2\n");
  await haproxy.start();
  const started = performance.now();
  while (await bodyOf(haproxy, "a.test") !== "one\n") {
    assert.ok(performance.now() - started < 5_000, agent.log());
    await delay(20);
  }
  assert.equal((await http.call("list_domains")).structured.count, 1);
  const healed = /1 servers? brought in line/;
  for (let i = 0; i < 200 && !healed.test(agent.log()); i++) await delay(20);
  assert.match(agent.log(), healed);
});
