/** Backup and restore beside a running `serve`, and what clients of that see. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { callFromShell, runAgent } from "../support/agent.ts";
import { startBackend } from "../support/backend.ts";
import { openPki } from "../support/pki.ts";
import { runningMap, snapshot } from "../support/tools.ts";
import { openSite } from "./site.ts";

Deno.test("a restore beside a running serve: its clients see the state of the backup at once, and go on from there", async () => {
  await using one = startBackend("one");
  await using pki = await openPki();
  await using site = await openSite({ pools: 4 });
  const { haproxy, http, agent } = site;
  await http.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
  await Deno.writeTextFile(
    join(haproxy.root, "certs/a.test.pem"),
    (await pki.issue(["a.test"])).pem,
  );
  await http.call("load_cert", { domain: "a.test" });
  const archive = join(haproxy.root, "a.tar");
  const made = await runAgent(haproxy, ["backup", archive, "--with-secrets"]);
  assert.equal(made.code, 0, made.stderr);
  const before = await snapshot(haproxy);

  await http.call("remove_domain", { domain: "a.test" });
  await http.call("delete_cert", { domain: "a.test" });
  // Together they lie in the journal for a moment: the restore has to know of them.
  await Promise.all(
    ["b", "c", "d"].map((name) => http.call("add_domain", { domain: `${name}.test` })),
  );
  const restored = await runAgent(haproxy, ["restore", archive]);
  assert.equal(restored.code, 0, restored.stderr);
  assert.deepEqual(await snapshot(haproxy), before);
  const { domains } = (await http.call("list_domains")).structured as {
    domains: { domain: string }[];
  };
  assert.deepEqual(domains.map(({ domain }) => domain), ["a.test"]);
  await http.call("add_domain", { domain: "e.test", share_with: "a.test" });
  assert.equal(await runningMap(haproxy), "a.test pool_1\ne.test pool_1");
  assert.equal((await http.call("health")).structured.status, "healthy");
  assert.doesNotMatch(agent.log(), / ERROR /);
});

Deno.test("changes and backups at the same time: each backup is of one moment, and can be restored", async () => {
  await using site = await openSite();
  const { haproxy, http } = site;
  const names = Array.from({ length: 30 }, (_, i) => `d${i}.test`);
  const archives = Array.from({ length: 4 }, (_, i) => join(haproxy.root, `${i}.tar`));
  await http.call("add_domain", { domain: "first.test", ip: "10.0.0.1" });
  const changing = (async () => {
    for (const domain of names) {
      await http.call("add_domain", { domain, share_with: "first.test" });
      await http.call("set_server_weight", { domain, slot: 1, weight: 1 + names.indexOf(domain) });
    }
  })();
  for (const archive of archives) {
    const { code, stderr } = await runAgent(haproxy, ["backup", archive]);
    assert.equal(code, 0, stderr);
  }
  await changing;
  for (const archive of archives) {
    const { code, stderr } = await runAgent(haproxy, ["restore", archive]);
    assert.equal(code, 0, stderr);
    const { structured } = await http.call("list_servers", { domain: "first.test" });
    const [{ weight }] = structured.servers as { weight: number }[];
    const { count } = (await http.call("list_domains")).structured as { count: number };
    // Each domain was followed by its weight.
    const possible = [count - 2, count - 1].map((number) => Math.max(1, number));
    assert.ok(possible.includes(weight), `${count} domains, weight ${weight}`);
    const { printed } = await callFromShell(haproxy, "health");
    const { sync } = printed.components as { sync: { status: string } };
    assert.equal(sync.status, "ok");
  }
});
