/** HAProxy is killed under a running agent: what it reads by itself serves at once, what it has forgotten comes back. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startServe } from "../support/agent.ts";
import { type Backend, startBackend } from "../support/backend.ts";
import { type Haproxy, HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import { runtimePid } from "../support/haproxy_cli.ts";
import { openPki, served } from "../support/pki.ts";
import { request } from "../support/request.ts";

const POOLS = 100;
const SLOTS = 10;
const DOMAINS = 300;

const poolOf = (domain: number) => domain % POOLS + 1;
const host = (domain: number) => `d${domain}.test`;

/** Ten backends on every address of the loopback; a pool's ten servers have ten addresses and one answer. */
function startBackends(): Backend[] {
  return Array.from({ length: 10 }, (_, i) => startBackend(`b${i}`, { hostname: "0.0.0.0" }));
}

function serversJson(backends: readonly Backend[]): string {
  const pools = Array.from({ length: POOLS }, (_, i) => {
    const pool = i + 1;
    const slots = Array.from({ length: SLOTS }, (_, slot) => [
      slot + 1,
      { ip: `127.0.${pool}.${slot + 1}`, http_port: backends[pool % 10].port },
    ]);
    return [`pool_${pool}`, Object.fromEntries(slots)];
  });
  return JSON.stringify(Object.fromEntries(pools));
}

/** HAProxy and `serve` with 300 domains, 1,000 servers and two certificates. */
async function openLargeSite(version: Haproxy["version"], backends: readonly Backend[]) {
  await using starting = new AsyncDisposableStack();
  const domains = Array.from({ length: DOMAINS }, (_, i) => `${host(i)} pool_${poolOf(i)}\n`);
  const haproxy = starting.use(
    await startHaproxy({ version, pools: POOLS, slots: SLOTS, domains: domains.join("") }),
  );
  const { root } = haproxy;
  await Deno.writeTextFile(join(root, "conf/servers.json"), serversJson(backends));
  await using pki = await openPki();
  const issued = await pki.issue(["d0.test"]);
  const pem = join(root, "certs/d0.test.pem");
  await Deno.writeTextFile(pem, issued.pem, { mode: 0o600 });
  await Deno.writeTextFile(join(root, "certs/crt-list.txt"), `${pem} d0.test\n`, { append: true });
  await Deno.writeTextFile(join(root, "conf/certificates.json"), '{"domains": ["d0.test"]}\n');
  const agent = starting.use(await startServe(haproxy));
  const moved = starting.move();
  const certificate = issued.fingerprint;
  return { haproxy, agent, certificate, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** The first answer of each domain, asked for from the moment when HAProxy listens. */
async function firstAnswers({ options }: Haproxy): Promise<string[]> {
  const first = async (i: number) => {
    for (const end = Date.now() + 20_000;; await delay(2)) {
      try {
        return (await request({ port: options.httpPort, host: host(i) })).body.trim();
      } catch (error) {
        if ((error as { code?: string }).code !== "ECONNREFUSED" || Date.now() > end) throw error;
      }
    }
  };
  return await Promise.all(Array.from({ length: DOMAINS }, (_, i) => first(i)));
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: after kill -9 under an agent, 300 domains on 1,000 servers answer right from the first request`, async () => {
    const backends = startBackends();
    try {
      await using site = await openLargeSite(version, backends);
      const { haproxy } = site;
      const right = Array.from({ length: DOMAINS }, (_, i) => `b${poolOf(i) % 10}`);
      await haproxy.kill9();
      const answers = firstAnswers(haproxy);
      await haproxy.start();
      assert.deepEqual(await answers, right);
      assert.deepEqual(await served(haproxy.options.httpsPort, "d0.test"), [site.certificate]);
    } finally {
      await Promise.all(backends.map((backend) => backend.stop()));
    }
  });

  Deno.test(`${version}: what a drifted start forgets (map lines, servers, a certificate) comes back by itself`, async () => {
    const backends = startBackends();
    try {
      await using site = await openLargeSite(version, backends);
      const { haproxy, agent } = site;
      const { root, configFile, options: { map, serverState, httpsPort } } = haproxy;
      await haproxy.kill9();

      // HAProxy starts with another map, with a state file that lacks pool_8, and with the first certificate alone.
      const stale = join(root, "conf/stale/domains.map");
      await Deno.mkdir(join(root, "conf/stale"));
      const lines = (await Deno.readTextFile(map)).split("\n");
      await Deno.writeTextFile(
        stale,
        lines.filter((line) => !/^d1?1\.test /.test(line)).join("\n"),
      );
      const config = await Deno.readTextFile(configFile);
      await Deno.writeTextFile(configFile, config.replaceAll(map, stale));
      const state = await Deno.readTextFile(serverState);
      await Deno.writeTextFile(serverState, state.replaceAll(/^\S+ pool_8 .*\n/gm, ""));
      const crtList = join(root, "certs/crt-list.txt");
      const list = await Deno.readTextFile(crtList);
      await Deno.writeTextFile(crtList, list.split("\n")[0] + "\n");

      const before = agent.log().length;
      const starting = haproxy.start();
      while (await runtimePid(haproxy.runtime) === undefined) await delay(2);
      const listening = performance.now();
      const back = async (condition: () => Promise<boolean>) => {
        for (
          const end = Date.now() + 20_000;
          !await condition().catch(() => false);
          await delay(5)
        ) {
          if (Date.now() > end) {
            throw new Error(`it did not come back: ${agent.log().slice(before)}`);
          }
        }
        return Math.round(performance.now() - listening);
      };
      const body = async (i: number) =>
        (await request({ port: haproxy.options.httpPort, host: host(i) })).body.trim();
      const times = await Promise.all([
        back(async () => await body(1) === "b2" && await body(11) === "b2"),
        back(async () => await body(7) === "b8" && await body(107) === "b8"),
        back(async () => (await served(httpsPort, "d0.test"))[0] === site.certificate),
      ]);
      await starting;
      console.log(
        `haproxy-mcp: on HAProxy ${version}, with 300 domains and 1,000 servers, what a drifted start had forgotten ` +
          `was back ${Math.max(...times)} ms after HAProxy listened (map ${times[0]}, servers ${
            times[1]
          }, certificate ${times[2]})`,
      );
      await back(() =>
        Promise.resolve(
          /2 domains, 10 servers and 1 certificate brought in line/.test(agent.log().slice(before)),
        )
      );
      // The file that only the agent writes is put right as well.
      assert.equal(await Deno.readTextFile(serverState), state);
    } finally {
      await Promise.all(backends.map((backend) => backend.stop()));
    }
  });
}
