/** Many callers at once: HTTP clients, a stdio client and the shell on one root, beside requests that must not fail. */
import assert from "node:assert/strict";
import { callFromShell, connectStdio } from "../support/agent.ts";
import { startBackend } from "../support/backend.ts";
import type { Haproxy } from "../support/haproxy.ts";
import { runningMap, runningSlots, snapshotFiles } from "../support/tools.ts";
import { bodyOf, get, openSite } from "./site.ts";

/** Every domain has a pool of its own with the one server that was asked for, on disk and in HAProxy. */
async function assertAllThere(haproxy: Haproxy, domains: ReadonlyMap<string, string>) {
  const entries = (await runningMap(haproxy)).split("\n").map((line) =>
    line.split(" ") as [string, string]
  );
  const pools = new Map(entries);
  assert.deepEqual([...pools.keys()].sort(), [...domains.keys()].sort());
  assert.equal(new Set(pools.values()).size, domains.size, "a pool was given twice");
  const files = await snapshotFiles(haproxy);
  const servers = JSON.parse(files["conf/servers.json"]);
  const slots = (await runningSlots(haproxy)).split("\n");
  for (const [domain, ip] of domains) {
    const pool = pools.get(domain)!;
    assert.match(files["conf/domains.map"], new RegExp(`^${domain} ${pool}$`, "m"));
    assert.deepEqual(Object.keys(servers[pool]), ["1"]);
    assert.equal(servers[pool]["1"].ip, ip);
    assert.ok(slots.includes(`${pool}_1 ${ip}:80 4 1`), `${domain} in ${pool}`);
  }
  assert.equal(Object.keys(servers).length, domains.size);
}

Deno.test("serve, stdio and the shell at once on one root: nothing is lost and no pool is given twice", async () => {
  await using site = await openSite({ pools: 40 });
  const { haproxy, http } = site;
  await using stdio = await connectStdio(haproxy);
  const domains = new Map<string, string>();
  const named = (caller: string, i: number) => {
    const place = { domain: `${caller}${i}.test`, ip: `10.0.${caller.length}.${i}` };
    domains.set(place.domain, place.ip);
    return place;
  };
  const range = (n: number) => Array.from({ length: n }, (_, i) => i + 1);
  await Promise.all([
    ...range(12).map((i) => http.call("add_domain", named("serve", i))),
    ...range(12).map((i) => stdio.call("add_domain", named("stdio-", i))),
    ...range(6).map(async (i) => {
      const { code, printed } = await callFromShell(haproxy, "add_domain", named("sh", i));
      assert.equal(code, 0, JSON.stringify(printed));
    }),
  ]);
  assert.equal(domains.size, 30);
  await assertAllThere(haproxy, domains);
  for (const caller of [http, stdio]) {
    assert.equal((await caller.call("list_domains")).structured.count, 30);
  }
  // Each sees at once what another one did.
  await stdio.call("remove_domain", { domain: "serve1.test" });
  assert.equal((await http.refused("list_servers", { domain: "serve1.test" })).code, "NOT_FOUND");
  const { code } = await callFromShell(haproxy, "remove_domain", { domain: "sh1.test" });
  assert.equal(code, 0);
  domains.delete("serve1.test");
  domains.delete("sh1.test");
  await assertAllThere(haproxy, domains);
});

Deno.test("60 domains from 8 HTTP clients at once: no request for another domain fails, and HAProxy's worker stays", async () => {
  await using one = startBackend("one");
  await using two = startBackend("two");
  await using site = await openSite({ pools: 61 });
  const { haproxy, http, agent } = site;
  await http.call("add_domain", { domain: "old.test", ip: "127.0.0.1", http_port: one.port });
  const worker = await haproxy.workerPid();
  const clients = await Promise.all(Array.from({ length: 8 }, () => agent.connect()));

  let adding = true;
  let requests = 0;
  const failed: string[] = [];
  const looping = Array.from({ length: 4 }, async () => {
    while (adding && requests < 20_000) {
      const answer = await get(haproxy, "old.test").then(
        ({ status, body }) => `${status} ${body}`,
        (error) => String(error),
      );
      requests++;
      if (answer !== "200 one\n") failed.push(answer);
    }
  });
  const names = Array.from({ length: 60 }, (_, i) => `new${i}.test`);
  try {
    await Promise.all(
      names.map((domain, i) =>
        clients[i % clients.length].call("add_domain", {
          domain,
          ip: "127.0.0.1",
          http_port: two.port,
        })
      ),
    );
  } finally {
    adding = false;
  }
  await Promise.all(looping);
  assert.deepEqual(failed, []);
  assert.ok(requests > 10, `only ${requests} requests were made`);
  assert.equal(await haproxy.workerPid(), worker);
  for (const domain of names) assert.equal(await bodyOf(haproxy, domain), "two\n", domain);
});
