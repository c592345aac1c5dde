/** haproxy_reload under load, by each of its ways: no request is lost, and what was set at run time is there afterwards. */
import assert from "node:assert/strict";
import { callFromShell, connectStdio, startServe } from "../support/agent.ts";
import { type Backend, startBackend } from "../support/backend.ts";
import { type Haproxy, haproxyBinary, startHaproxy } from "../support/haproxy.ts";
import { type Load, type LoadKind, type LoadReport, startLoad } from "../support/load.ts";
import type { ToolCaller } from "../support/mcp_client.ts";
import { podmanProblem, startPodmanHaproxy } from "../support/podman.ts";
import { makeSystemctl } from "../support/systemctl.ts";
import { runningMap, runningSlots } from "../support/tools.ts";

/** HTTP/3 with a connection for each request is left out: a handshake that a reload meets is lost in HAProxy itself. */
const KINDS: readonly LoadKind[] = ["h1", "h1 fresh", "h1 tls", "h2", "h2 fresh", "h3"];
const VERSIONS = ["3.2", "3.4"] as const;
type Version = typeof VERSIONS[number];
const RELOADS = 10;
const REQUESTS = 1_000;
const HOST = "a.test";

type Way = "master" | "podman" | "systemd";

interface Site extends AsyncDisposable {
  readonly haproxy: Pick<Haproxy, "root" | "options" | "runtime" | "workerPid" | "version">;
  readonly http: ToolCaller;
  /** What was asked of the stand-in for systemctl. */
  readonly systemctl?: () => Promise<readonly string[]>;
}

const SITES: Readonly<Record<Way, (version: Version) => Promise<Site>>> = {
  async master(version) {
    await using stack = new AsyncDisposableStack();
    const haproxy = stack.use(await startHaproxy({ version, pools: 2, slots: 3 }));
    const agent = stack.use(await startServe(haproxy));
    return finish(stack, { haproxy, http: await agent.connect() });
  },

  async systemd(version) {
    await using stack = new AsyncDisposableStack();
    const haproxy = stack.use(await startHaproxy({ version, pools: 2, slots: 3 }));
    const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
    stack.defer(() => Deno.remove(folder, { recursive: true }));
    const { masterPid, configFile } = haproxy;
    const binary = haproxyBinary(version);
    const systemctl = await makeSystemctl({ folder, masterPid, binary, configFile });
    const env = { PATH: `${folder}:${Deno.env.get("PATH")}`, HAPROXY_RELOAD: "systemd" };
    const agent = stack.use(await startServe(haproxy, { env }));
    return finish(stack, { haproxy, http: await agent.connect(), systemctl: systemctl.calls });
  },

  async podman(version) {
    await using stack = new AsyncDisposableStack();
    const haproxy = stack.use(await startPodmanHaproxy({ version, pools: 2, slots: 3 }));
    const { bin, container } = haproxy;
    const env = { PATH: `${bin}:${Deno.env.get("PATH")}`, HAPROXY_CONTAINER: container };
    const agent = stack.use(await startServe(haproxy, { env }));
    return finish(stack, { haproxy, http: await agent.connect() });
  },
};

function finish(stack: AsyncDisposableStack, site: Omit<Site, keyof AsyncDisposable>): Site {
  const moved = stack.move();
  return { ...site, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** Two servers of different weight in a.test's pool, so that what a reload forgets would show. */
async function fill({ http }: Site, servers: readonly Backend[]): Promise<void> {
  const [one, two] = servers.map(({ address, port }) => ({ ip: address, http_port: port }));
  await http.call("add_domain", { domain: HOST, ...one });
  await http.call("add_server", { domain: HOST, ...two, weight: 3 });
  await http.call("add_server", { domain: HOST, ip: "10.0.0.1" });
  await http.call("set_server_state", { domain: HOST, slot: 3, state: "maint" });
}

async function startLoads(site: Site): Promise<Load[]> {
  const loads: Load[] = [];
  for (const kind of KINDS) {
    loads.push(await startLoad(site.haproxy, kind, { host: HOST, names: ["one", "two"] }));
  }
  await Promise.all(loads.map((load) => load.more(20)));
  return loads;
}

/** Ten reloads, then as many requests more as the count still lacks. */
async function reloadUnderLoad(site: Site, way: Way): Promise<readonly LoadReport[]> {
  const loads = await startLoads(site);
  const state = async () =>
    `${await runningMap(site.haproxy)}\n${await runningSlots(site.haproxy)}`;
  try {
    const before = await state();
    const pids = new Set([await site.haproxy.workerPid()]);
    for (let reload = 1; reload <= RELOADS; reload++) {
      const { structured } = await site.http.call("reload");
      assert.deepEqual([structured.reloaded, structured.way], [true, way]);
      assert.equal(structured.worker_pid, await site.haproxy.workerPid());
      pids.add(structured.worker_pid as number);
      assert.equal(await state(), before);
      await Promise.all(loads.map((load) => load.more(60)));
    }
    assert.match(before, /^a\.test pool_1\n/);
    assert.equal(pids.size, RELOADS + 1);
    await Promise.all(loads.map((load) => load.more(REQUESTS - load.report.answered)));
  } finally {
    await Promise.all(loads.map((load) => load.stop()));
  }
  return loads.map((load) => load.report);
}

const podmanMissing = await podmanProblem();
if (podmanMissing !== undefined) {
  console.log(`haproxy-mcp: reloads by Podman are skipped: ${podmanMissing}`);
}

for (const version of VERSIONS) {
  for (const way of ["master", "podman", "systemd"] as const) {
    Deno.test({
      name:
        `${version}: ${RELOADS} reloads by ${way} under load lose no request and keep every server`,
      ignore: way === "podman" && podmanMissing !== undefined,
      async fn() {
        await using one = startBackend("one");
        await using two = startBackend("two");
        await using site = await SITES[way](version);
        await fill(site, [one, two]);
        const reports = await reloadUnderLoad(site, way);
        const counts = reports.map(({ answered, retried }, i) =>
          `${KINDS[i]} ${answered}${retried > 0 ? ` (${retried} retried)` : ""}`
        );
        console.log(
          `haproxy-mcp: HAProxy ${version}, ${RELOADS} reloads by ${WAYS[way]}: ` +
            `answered ${counts.join(", ")}; failed ${
              reports.flatMap(({ failures }) => failures).length
            }`,
        );
        reports.forEach(({ failures, answered }, i) => {
          assert.deepEqual(failures, [], KINDS[i]);
          assert.ok(answered >= REQUESTS, `${KINDS[i]}: ${answered}`);
        });
        if (!site.systemctl) return;
        const calls = await site.systemctl();
        assert.equal(
          calls.filter((call) => call === "--no-ask-password reload haproxy.service").length,
          RELOADS,
        );
      },
    });

    Deno.test({
      name:
        `${version}: a reload by ${way} with a broken configuration names the line, and the old worker serves on`,
      ignore: way === "podman" && podmanMissing !== undefined,
      async fn() {
        await using one = startBackend("one");
        await using two = startBackend("two");
        await using site = await SITES[way](version);
        await fill(site, [one, two]);
        await using load = await startLoad(site.haproxy, "h1", {
          host: HOST,
          names: ["one", "two"],
        });
        const { workerPid, root } = site.haproxy;
        const pid = await workerPid();
        const file = `${root}/conf/haproxy.cfg`;
        const good = await Deno.readTextFile(file);
        await Deno.writeTextFile(file, `${good}    bogus\n`);
        const line = good.split("\n").length;
        const error = await site.http.refused("reload");
        assert.equal(error.code, "CONFIG_INVALID");
        assert.match(error.message, new RegExp(`/haproxy\\.cfg:${line}: unknown keyword 'bogus'`));
        assert.equal(await workerPid(), pid);
        await load.more(20);
        assert.deepEqual((await load.stop()).failures, []);

        await Deno.writeTextFile(file, good);
        assert.equal((await site.http.call("reload")).structured.reloaded, true);
      },
    });
  }
}

const WAYS: Readonly<Record<Way, string>> = {
  master: "the master CLI (real)",
  podman: "Podman (real)",
  systemd: "systemd (a stand-in for systemctl; HAProxy is real)",
};

Deno.test("the shell and stdio reload, check and look as well, beside a running serve", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3 });
  await using _serve = await startServe(haproxy);
  const pid = await haproxy.workerPid();
  const reloaded = await callFromShell(haproxy, "reload");
  assert.equal(reloaded.code, 0);
  assert.deepEqual([reloaded.printed.reloaded, reloaded.printed.way], [true, "master"]);
  const second = await haproxy.workerPid();
  assert.notEqual(second, pid);
  {
    await using stdio = await connectStdio(haproxy);
    assert.equal((await stdio.call("reload")).structured.reloaded, true);
    assert.equal((await stdio.call("check_config")).structured.valid, true);
  }
  assert.notEqual(await haproxy.workerPid(), second);
  const health = await callFromShell(haproxy, "health");
  assert.deepEqual([health.code, health.printed.status], [0, "healthy"]);

  await Deno.writeTextFile(haproxy.configFile, "bogus\n");
  const broken = await callFromShell(haproxy, "reload");
  assert.equal(broken.code, 1);
  assert.equal((broken.printed.error as { code: string }).code, "CONFIG_INVALID");
});

Deno.test("health says which way a reload takes, and what the container does", {
  ignore: podmanMissing !== undefined,
}, async () => {
  await using site = await SITES.podman("3.2");
  const health = async () =>
    (await site.http.call("health")).structured.components as Record<
      string,
      Record<string, unknown>
    >;
  const { reload, container, haproxy } = await health();
  assert.deepEqual([reload.way, reload.check], ["podman", "podman"]);
  assert.equal(container.status, "ok");
  assert.match(String(container.message), /is running$/);
  assert.equal(haproxy.status, "ok");
  const { structured } = await site.http.call("check_config");
  assert.deepEqual([structured.valid, structured.checked_by], [true, "podman"]);
});
