/** Where all is well doctor finds nothing; and whatever it finds, it changes nothing. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { runAgent, startServe } from "../../support/agent.ts";
import { startBackend } from "../../support/backend.ts";
import { found, runDoctor, shown, under, wrong } from "../../support/doctor.ts";
import { HAPROXY_VERSIONS, startHaproxy } from "../../support/haproxy.ts";
import { freePort } from "../../support/ports.ts";
import { podmanProblem, startPodmanHaproxy } from "../../support/podman.ts";
import { runningMap, runningSlots } from "../../support/tools.ts";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: doctor finds nothing wrong with what init writes, with serve beside it`, async () => {
    await using backend = startBackend("one");
    await using haproxy = await startHaproxy({ version, pools: 2, slots: 3 });
    const env = { MCP_PORT: String(freePort()) };
    const before = await runDoctor(haproxy);
    assert.deepEqual(wrong(before), [], shown(before));
    await using agent = await startServe(haproxy, { env });
    const http = await agent.connect();
    await http.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: backend.port });
    const report = await runDoctor(haproxy, { env });
    assert.deepEqual([report.code, report.faults, report.warnings], [0, 0, 0], shown(report));
    assert.deepEqual(wrong(report), []);
    assert.match(found(report, "runtime-api").message, new RegExp(`^HAProxy ${version}\\.`));
    assert.equal(found(report, "desired-state").message, "1 line in the map, 1 server");
    assert.match(found(report, "serve").message, /is ready/);
    await haproxy.reload();
    const reloaded = await runDoctor(haproxy, { env });
    assert.deepEqual(wrong(reloaded), [], shown(reloaded));
  });
}

const noPodman = await podmanProblem();

Deno.test({
  name: "doctor finds nothing wrong with HAProxy in a container, which has other paths",
  ignore: noPodman !== undefined,
  async fn() {
    await using haproxy = await startPodmanHaproxy({ pools: 1, slots: 2, maxOpenFiles: 4096 });
    const env = {
      PATH: `${haproxy.bin}:${Deno.env.get("PATH")}`,
      HAPROXY_CONTAINER: haproxy.container,
    };
    const report = await runDoctor(haproxy, { env });
    assert.deepEqual(wrong(report), [], shown(report));
    assert.match(found(report, "domain-map").message, /\/usr\/local\/etc\/haproxy\/domains\.map/);
    assert.match(found(report, "reload").message, /by podman/);
    assert.equal(found(report, "container-mounts").status, "ok");
  },
});

/** Every file and folder under the root with all that a write would change of it. */
async function fingerprint(root: string): Promise<Record<string, string>> {
  const seen: Record<string, string> = {};
  async function walk(path: string): Promise<void> {
    const { ino, mode, uid, gid, size, mtime, ctime, isDirectory, isFile } = await Deno.lstat(path);
    const text = isFile ? await Deno.readTextFile(path) : "";
    seen[path] = [ino, mode, uid, gid, size, mtime?.getTime(), ctime?.getTime(), text].join(" ");
    if (!isDirectory) return;
    for await (const { name } of Deno.readDir(path)) await walk(join(path, name));
  }
  await walk(root);
  // HAProxy writes its log there.
  delete seen[join(root, "haproxy.log")];
  return seen;
}

Deno.test("doctor changes nothing: no lock, no token, no healing, where all is well and where nothing is", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3, domains: "a.test pool_1\n" });
  const running = async () => [await runningMap(haproxy), await runningSlots(haproxy)];
  for (
    const breakIt of [
      () => Promise.resolve(),
      // What another process would finish, tidy, heal or make.
      async () => {
        const change = { kind: "map", key: "b.test", before: null, after: "pool_2" };
        const entry = { t: "change", seq: 1, tool: "haproxy_add_domain", changes: [change] };
        const torn = '{"t":"cha';
        await Deno.writeTextFile(
          under(haproxy, "data/journal/changes.jsonl"),
          `${JSON.stringify(entry)}\n${torn}`,
        );
        const staged = `conf/.domains.map.${crypto.randomUUID()}.tmp`;
        await Deno.writeTextFile(under(haproxy, staged), "left behind");
        await Deno.writeTextFile(under(haproxy, "conf/servers.state"), "1\nbad\n");
        const server = { ip: "127.0.0.1", http_port: 9 };
        await Deno.writeTextFile(
          under(haproxy, "conf/servers.json"),
          JSON.stringify({ pool_1: { 1: server } }),
        );
        await haproxy.runtime("set server pool_2/pool_2_1 weight 7");
      },
    ]
  ) {
    await breakIt();
    const before = await fingerprint(haproxy.root);
    const held = await running();
    await runDoctor(haproxy);
    assert.deepEqual(await fingerprint(haproxy.root), before);
    assert.deepEqual(await running(), held);
    for (const made of ["data/lock", "data/audit.jsonl", "conf/mcp-token.env"]) {
      await assert.rejects(Deno.stat(under(haproxy, made)), Deno.errors.NotFound);
    }
  }
});

Deno.test("doctor prints a line a check, by group, what to do below, and counts in the last line", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const { code, stdout, stderr } = await runAgent(haproxy, ["doctor"], {
    env: { HAPROXY_POOL_COUNT: "2", LOG_LEVEL: "DEBUG" },
  });
  assert.deepEqual([code, stderr], [1, ""]);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines[0], "haproxy");
  const at = lines.findIndex((line) => line.startsWith("  fault    pools "));
  assert.match(lines[at], /haproxy\.cfg lacks 1 of the 2 slots/);
  assert.match(lines[at + 1], /^ +Let them agree: correct the two settings/);
  assert.equal(lines[at + 1].search(/\S/), lines[at].indexOf("haproxy.cfg lacks"));
  assert.match(lines.at(-1)!, /^1 fault, 0 warnings, \d+ ok, \d+ skipped$/);
  // deno-lint-ignore no-control-regex -- that is what a pipe must not get
  assert.doesNotMatch(stdout, /\x1b/);
});

Deno.test("doctor with a bad setting is exit 4, one line, as every command", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const { code, stdout, stderr } = await runAgent(haproxy, ["doctor"], {
    env: { LOG_LEVEL: "LOUD" },
  });
  assert.deepEqual([code, stdout], [4, ""]);
  assert.match(stderr, /^haproxy-mcp: LOG_LEVEL="LOUD" is not usable: [^\n]*\n$/);
});
