/** HAProxy comes up right without any agent, and an agent that was killed goes on from what it answered. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { startServe } from "../support/agent.ts";
import { startBackend } from "../support/backend.ts";
import { type Haproxy, HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { request } from "../support/request.ts";
import { runningMap, runningSlots, snapshotFiles } from "../support/tools.ts";
import { openSite, type Site } from "./site.ts";

/** Asks until somebody listens; what the first answer says. */
async function firstAnswer(haproxy: Haproxy, host: string): Promise<string> {
  for (const end = Date.now() + 10_000;; await delay(2)) {
    try {
      return (await request({ port: haproxy.options.httpPort, host })).body.trim();
    } catch (error) {
      if ((error as { code?: string }).code !== "ECONNREFUSED" || Date.now() > end) throw error;
    }
  }
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: with the agent stopped, HAProxy starts and reloads into what was answered`, async () => {
    await using one = startBackend("one");
    await using two = startBackend("two", { hostname: "::1" });
    await using three = startBackend("three");
    await using site = await openSite({ version, pools: 4 });
    const { haproxy, http, agent } = site;
    const at = (backend: { address: string; port: number }) => ({
      ip: backend.address,
      http_port: backend.port,
    });
    await http.call("add_domain", { domain: "a.test", wildcard: true, ...at(one) });
    await http.call("add_server", { domain: "a.test", weight: 37, ...at(two) });
    await http.call("add_server", { domain: "a.test", weight: 256, ...at(three) });
    await http.call("set_server_state", { domain: "a.test", slot: 3, state: "drain" });
    await http.call("add_domain", { domain: "b.test", ...at(two) });
    await http.call("add_server", { domain: "b.test", slot: 3, weight: 5, ...at(one) });
    await http.call("set_server_state", { domain: "b.test", slot: 1, state: "maint" });
    await http.call("add_domain", { domain: "c.test", share_with: "b.test" });
    await http.call("add_domain", { domain: "gone.test", ...at(three) });
    await http.call("remove_domain", { domain: "gone.test" });
    await http.call("add_domain", { domain: "*.d.test", ...at(three) });
    await http.call("set_server_weight", { domain: "*.d.test", slot: 1, weight: 0 });
    await http.call("add_server", { domain: "*.d.test", ...at(two) });
    assert.equal(await agent.end("SIGTERM"), 0);

    const servers = {
      "a.test": ["one", "two"],
      "x.a.test": ["one", "two"],
      "b.test": ["one"],
      "c.test": ["one"],
      "x.d.test": ["two"],
    };
    const slots = [
      `pool_1_1 127.0.0.1:${one.port} 4 1`,
      `pool_1_2 ::1:${two.port} 4 37`,
      `pool_1_3 127.0.0.1:${three.port} 12 256`,
      `pool_2_1 ::1:${two.port} 5 1`,
      "pool_2_2 127.0.0.1:1 5 1",
      `pool_2_3 127.0.0.1:${one.port} 4 5`,
      `pool_3_1 127.0.0.1:${three.port} 4 0`,
      `pool_3_2 ::1:${two.port} 4 1`,
      "pool_3_3 127.0.0.1:1 5 1",
      ...[1, 2, 3].map((slot) => `pool_4_${slot} 127.0.0.1:1 5 1`),
    ].join("\n");
    const asAnswered = async (answers: readonly string[], moment: string) => {
      Object.entries(servers).forEach(([host, right], i) =>
        assert.ok(right.includes(answers[i]), `${moment}: ${host} answered ${answers[i]}`)
      );
      assert.equal(await runningSlots(haproxy), slots, moment);
      assert.equal(
        await runningMap(haproxy),
        ".a.test pool_1\n.d.test pool_3\na.test pool_1\nb.test pool_2\nc.test pool_2",
        moment,
      );
    };
    const first = () => Promise.all(Object.keys(servers).map((host) => firstAnswer(haproxy, host)));

    await haproxy.kill9();
    const answers = first();
    await haproxy.start();
    await asAnswered(await answers, "after kill -9");
    await haproxy.reload();
    await asAnswered(await first(), "after SIGUSR2");
  });

  for (const restartHaproxy of [false, true]) {
    const both = restartHaproxy ? "and HAProxy are" : "is";
    Deno.test(`${version}: the agent ${both} killed in a burst: what was answered is there, the rest whole or not at all`, async () => {
      await using one = startBackend("one");
      await using site = await openSite({ version, pools: 60 });
      const { haproxy } = site;
      const { answered, asked } = await killInBurst(site, one.port);
      if (restartHaproxy) {
        await haproxy.kill9();
        await haproxy.start();
      }

      await using again = await startServe(haproxy);
      const client = await again.connect();
      await assertAgree(haproxy);
      const { structured } = await client.call("list_domains");
      const listed = structured.domains as { domain: string; servers: unknown[] }[];
      const names = listed.map(({ domain }) => domain);
      for (const domain of answered) assert.ok(names.includes(domain), `${domain} is lost`);
      for (const { domain, servers } of listed) {
        assert.ok(asked.includes(domain), `nobody asked for ${domain}`);
        assert.equal(servers.length, 1, `${domain} is there by half`);
        assert.equal(await firstAnswer(haproxy, domain), "one", domain);
      }
    });
  }
}

/** Some domains one by one, then from eight callers at once; SIGKILL when a few of those are answered. */
async function killInBurst({ http, agent }: Site, port: number) {
  const answered: string[] = [];
  const asked: string[] = [];
  let killed: Promise<number> | undefined;
  const add = async (domain: string) => {
    asked.push(domain);
    await http.call("add_domain", { domain, ip: "127.0.0.1", http_port: port });
    answered.push(domain);
    if (answered.length >= 16) killed ??= agent.end("SIGKILL");
  };
  for (let i = 0; i < 4; i++) await add(`alone${i}.test`);
  const loops = Array.from({ length: 8 }, async (_, loop) => {
    for (let i = 0;; i++) await add(`burst${loop}-${i}.test`);
  });
  const outcomes = Promise.allSettled(loops);
  await agent.ended;
  await http.client.close();
  await outcomes;
  return { answered, asked };
}

/** HAProxy has what the files say, and no more. */
async function assertAgree(haproxy: Haproxy): Promise<void> {
  const files = await snapshotFiles(haproxy);
  const lines = files["conf/domains.map"].split("\n").filter((line) => /^[^#]/.test(line));
  assert.equal(await runningMap(haproxy), lines.sort().join("\n"));
  type Slots = Record<string, { ip: string; http_port: number; weight: number }>;
  const servers = Object.entries(JSON.parse(files["conf/servers.json"]) as Record<string, Slots>);
  const wanted = servers.flatMap(([pool, slots]) =>
    Object.entries(slots).map(([slot, { ip, http_port, weight }]) =>
      `${pool}_${slot} ${ip}:${http_port} 4 ${weight}`
    )
  );
  const taken = (await runningSlots(haproxy)).split("\n").filter((row) => !/:1 5 1$/.test(row));
  assert.deepEqual(taken.sort(), wanted.sort());
}
