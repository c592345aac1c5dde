/** HAProxy stopped, hung, or somebody else in its place: changes are refused, not queued. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { callFromShell, runAgent, startServe } from "../support/agent.ts";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import type { Answer } from "../support/mcp_client.ts";
import { runningMap, runningSlots, snapshot, snapshotFiles } from "../support/tools.ts";
import { bodyOf, openSite } from "./site.ts";

const CHANGES = [
  ["add_domain", { domain: "b.test", ip: "10.0.0.2" }],
  ["add_server", { domain: "a.test", ip: "10.0.0.2" }],
  ["set_server_weight", { domain: "a.test", slot: 1, weight: 9 }],
  ["set_domain_state", { domain: "a.test", state: "maint" }],
  ["remove_domain", { domain: "a.test" }],
] as const;

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: while HAProxy is stopped changes are HAPROXY_UNREACHABLE and leave no trace`, async () => {
    await using one = startBackend("one");
    await using site = await openSite({ version });
    const { haproxy, http } = site;
    await http.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
    const before = await snapshot(haproxy);
    const files = await snapshotFiles(haproxy);
    await haproxy.stop();
    const place = new RegExp(`127\\.0\\.0\\.1:${haproxy.options.api.port} can't be reached`);
    for (const [name, args] of CHANGES) {
      const error = await http.refused(name, args);
      assert.equal(error.code, "HAPROXY_UNREACHABLE");
      assert.match(error.message, place);
    }
    const { code, printed } = await callFromShell(haproxy, ...CHANGES[0]);
    assert.equal(code, 3);
    assert.equal((printed.error as { code: string }).code, "HAPROXY_UNREACHABLE");
    assert.equal((await http.call("list_domains")).structured.count, 1);
    assert.deepEqual(await snapshotFiles(haproxy), files);
    await haproxy.start();
    assert.equal(await bodyOf(haproxy, "a.test"), "one\n");
    assert.deepEqual(await snapshot(haproxy), before);
    await http.call("add_domain", { domain: "b.test", ip: "10.0.0.2" });
  });
}

Deno.test("HAProxy hangs in a burst of changes: once it goes on, it has what was answered and nothing that was refused", async () => {
  await using site = await openSite({ pools: 40 });
  const { haproxy, http, agent } = site;
  const worker = await haproxy.workerPid();
  const answers: Promise<Answer & { readonly domain: string }>[] = [];
  const add = (domain: string) =>
    answers.push(
      http.ask("add_domain", { domain, ip: "10.0.0.1" }).then((answer) => ({ ...answer, domain })),
    );
  try {
    for (let i = 0; i < 24; i++) {
      add(`d${i}.test`);
      if (i === 8) await answers[0];
      if (i === 16) Deno.kill(worker, "SIGSTOP");
      await delay(2);
    }
    const outcomes = await Promise.all(answers);
    const refused = outcomes.filter(({ ok }) => !ok);
    assert.ok(refused.length > 0 && refused.length < outcomes.length);
    for (const answer of refused) {
      assert.equal(!answer.ok && answer.error.code, "HAPROXY_UNREACHABLE");
      assert.match(answer.ok ? "" : answer.error.message, /did not answer within 5 s/);
    }
  } finally {
    Deno.kill(worker, "SIGCONT");
  }
  const wanted = (await Promise.all(answers)).filter(({ ok }) => ok).map(({ domain }) => domain);
  const asAnswered = async () => {
    const map = (await runningMap(haproxy)).split("\n").map((line) => line.split(" ")[0]);
    const taken = (await runningSlots(haproxy)).split("\n").filter((row) => / 4 1$/.test(row));
    return map.length === wanted.length && taken.length === wanted.length &&
      wanted.every((domain) => map.includes(domain));
  };
  for (const end = Date.now() + 5_000; !await asAnswered() && Date.now() < end;) await delay(50);
  assert.ok(await asAnswered(), `${wanted}\n${await runningMap(haproxy)}\n${agent.log()}`);
  const files = await snapshotFiles(haproxy);
  const keys = files["conf/domains.map"].match(/^\S+\.test(?= pool_\d+$)/gm) ?? [];
  assert.deepEqual(keys.toSorted(), wanted.toSorted());
  await http.call("add_domain", { domain: "after.test" });
});

Deno.test("an HTTP server in the place of the Runtime API is said to be no HAProxy", async () => {
  await using stranger = startBackend("stranger");
  await using site = await openSite();
  const { haproxy } = site;
  await site.http.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const before = await snapshot(haproxy);
  await site.agent.end("SIGTERM");
  const env = { HAPROXY_PORT: String(stranger.port) };
  await using astray = await startServe(haproxy, { env });
  const http = await astray.connect();
  for (const [name, args] of CHANGES) {
    const error = await http.refused(name, args);
    assert.equal(error.code, "HAPROXY_UNREACHABLE");
    assert.match(
      error.message,
      new RegExp(`127\\.0\\.0\\.1:${stranger.port} (is not HAProxy|broke off)`),
    );
  }
  const { code, stderr } = await runAgent(
    haproxy,
    ["call", "remove-domain", "--domain", "a.test"],
    { env },
  );
  assert.equal(code, 3);
  assert.match(stderr, /^Error: HAProxy's Runtime API at /);
  assert.deepEqual(await snapshot(haproxy), before);
});
