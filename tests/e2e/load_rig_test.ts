/** What the test of "a reload loses no request" is made of: it has to see a loss, and none where there is none. */
import assert from "node:assert/strict";
import { serverState } from "../init/fixtures.ts";
import { startBackend } from "../support/backend.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { type Load, LOAD_KINDS, startLoad } from "../support/load.ts";
import { podmanProblem, startPodmanHaproxy } from "../support/podman.ts";
import { makeSystemctl } from "../support/systemctl.ts";

const DOMAIN = { host: "example.com", names: ["alpha", "beta"] };

async function startSite(edit?: (config: string) => string) {
  const [alpha, beta] = [startBackend("alpha"), startBackend("beta")];
  const haproxy = await startHaproxy({
    pools: 2,
    slots: 2,
    domains: "example.com pool_1\n",
    state: serverState(
      [alpha, beta].map((server, index) => ({ pool: 1, slot: index + 1, server })),
    ),
    edit,
  });
  return {
    haproxy,
    async [Symbol.asyncDispose]() {
      await haproxy[Symbol.asyncDispose]();
      await Promise.all([alpha.stop(), beta.stop()]);
    },
  };
}

for (const kind of LOAD_KINDS) {
  Deno.test(`load of ${kind} has its answers, and says which were none`, async () => {
    await using site = await startSite();
    await using load = await startLoad(site.haproxy, kind, DOMAIN);
    await load.more(60);
    assert.deepEqual(load.report.failures, []);
    const { answered, connections } = load.report;
    assert.ok(
      kind.endsWith("fresh") ? connections >= answered : connections < 10,
      `${connections}`,
    );
    await site.haproxy.runtime("set server pool_1/pool_1_1 state maint");
    await site.haproxy.runtime("set server pool_1/pool_1_2 state maint");
    while (load.report.failures.length === 0) await load.more(1);
    const { failures } = await load.stop();
    assert.match(failures[0], /status 503/);
  });
}

for (const kind of LOAD_KINDS) {
  Deno.test(`load of ${kind} that is stopped waits for the request on its way`, async () => {
    await using alpha = startBackend("alpha");
    await using haproxy = await startHaproxy({
      pools: 1,
      slots: 1,
      domains: "example.com pool_1\n",
      state: serverState([{ pool: 1, slot: 1, server: alpha }]),
    });
    const options = { ...DOMAIN, paths: ["/slow?ms=700"], connections: 1 };
    await using load = await startLoad(haproxy, kind, options);
    while (alpha.requests === 0) await new Promise((next) => setTimeout(next, 5));
    const { answered, failures } = await load.stop();
    assert.deepEqual(failures, []);
    assert.ok(answered >= 1);
  });
}

Deno.test("load sees the requests that a reload loses without idle-close-on-response", async () => {
  await using site = await startSite((config) =>
    config.replace(/^ +option idle-close-on-response\n/m, "")
  );
  const options = { ...DOMAIN, connections: 20 };
  await using load = await startLoad(site.haproxy, "h1", options);
  for (let reloads = 0; reloads < 30 && load.report.failures.length === 0; reloads++) {
    await load.more(60);
    await site.haproxy.reload();
  }
  assert.match(String((await load.stop()).failures[0]), /no byte of the answer/);
});

Deno.test("the stand-in for systemctl reloads as Debian's unit does", async () => {
  await using site = await startSite();
  const { haproxy } = site;
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    const systemctl = await makeSystemctl({
      folder,
      masterPid: haproxy.masterPid,
      binary: Deno.env.get("HAPROXY_3_2")!,
      configFile: haproxy.configFile,
    });
    const run = async (...args: string[]) =>
      (await new Deno.Command(`${folder}/systemctl`, { args, clearEnv: true }).output()).code;
    const before = await haproxy.workerPid();
    assert.equal(await run("is-active", "--quiet", "haproxy.service"), 0);
    assert.equal(await run("--no-ask-password", "reload", "haproxy.service"), 0);
    while (await haproxy.workerPid() === before) await new Promise((next) => setTimeout(next, 20));
    await Deno.writeTextFile(haproxy.configFile, "nonsense\n");
    assert.equal(await run("--no-ask-password", "reload", "haproxy.service"), 1);
    assert.deepEqual(await systemctl.calls(), [
      "is-active --quiet haproxy.service",
      "--no-ask-password reload haproxy.service",
      "--no-ask-password reload haproxy.service",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const problem = await podmanProblem();
for (const version of ["3.2", "3.4"] as const) {
  Deno.test({
    name: `HAProxy ${version} runs, reloads, dies and starts again in a container`,
    ignore: problem !== undefined,
    async fn() {
      await using alpha = startBackend("alpha");
      await using haproxy = await startPodmanHaproxy({
        version,
        pools: 2,
        slots: 2,
        domains: "example.com pool_1\n",
        state: serverState([{ pool: 1, slot: 1, server: alpha }]),
      });
      assert.match(
        await haproxy.runtime("show map"),
        /\(\/usr\/local\/etc\/haproxy\/domains\.map\)/,
      );
      const first = await haproxy.workerPid();
      await using load: Load = await startLoad(haproxy, "h1", DOMAIN);
      await load.more(50);
      await haproxy.reload();
      await load.more(50);
      assert.deepEqual((await load.stop()).failures, []);
      assert.notEqual(await haproxy.workerPid(), first);
      await haproxy.kill9();
      await haproxy.start();
      assert.ok(await haproxy.workerPid() < 20, "pids begin anew in a container");
      await haproxy.stop();
      assert.match(await haproxy.logs(), /Loading success/);
      assert.match(await haproxy.podman("container", "inspect", haproxy.container), /"exited"/);
    },
  });
}
