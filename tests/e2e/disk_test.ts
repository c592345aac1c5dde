/** Disks and folders that can't be used: a change is refused whole, a start says what is wrong and where. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type AgentOptions, executableForAll, runAgent, startServe } from "../support/agent.ts";
import { type Haproxy, startHaproxy } from "../support/haproxy.ts";
import { runningMap, runningSlots, snapshot, snapshotFiles } from "../support/tools.ts";
import { openSite } from "./site.ts";

const isRoot = Deno.uid() === 0;

async function sh(script: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", script, "sh", ...args],
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("a file that may not grow: the change is STATE_IO, reading goes on", async () => {
  const limit = ["bash", "-c", `trap '' XFSZ; ulimit -f 16; exec "$@"`, "bash"];
  const domains = `# ${"a file near its limit ".repeat(740)}\n`;
  assert.ok(domains.length < 16 * 1024 && domains.length > 16 * 1024 - 120);
  await using site = await openSite({ wrapper: limit, domains, pools: 8 });
  const { haproxy, http } = site;
  await http.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const before = await snapshot(haproxy);
  // A change right behind another one is durable by the journal alone, and would be answered.
  await delay(50);
  const long = `${"long-label.".repeat(14)}test`;
  const error = await http.refused("add_domain", { domain: long, ip: "10.0.0.2" });
  assert.equal(error.code, "STATE_IO");
  assert.match(error.message, /conf\/domains\.map: .*too large/i);
  assert.deepEqual(await snapshot(haproxy), before);
  assert.equal((await http.call("list_domains")).structured.count, 1);
  await http.call("add_server", { domain: "a.test", ip: "10.0.0.3" });
});

/** In a mount namespace of the agent's own, so that nothing is mounted when it has ended. */
const SMALL_DISK = `
keep=$(mktemp -d) && cp -a "$0/." "$keep" && mount -t tmpfs -o size=1m,mode=0755 tmpfs "$0" &&
cp -a "$keep/." "$0" && rm -r "$keep" && exec "$@"`;

const canMount = (await sh("unshare -rm mount -t tmpfs tmpfs /mnt")).code === 0;
if (!canMount) {
  console.log(
    "No test of a full disk: this user may mount nothing, even in a namespace of its own.",
  );
}

Deno.test({
  name: "a full disk: the change is STATE_IO, and goes through once there is room",
  ignore: !canMount,
  async fn() {
    await using haproxy = await startHaproxy({ pools: 2, slots: 3 });
    // Made beforehand, so that it can be read on either side of the mount.
    const tokens = join(haproxy.root, "conf/mcp-token.env");
    await Deno.writeTextFile(tokens, "MCP_TOKEN=of-the-test\n", { mode: 0o600 });
    const wrapper = ["unshare", "-rm", "sh", "-c", SMALL_DISK, haproxy.root];
    await using agent = await startServe(haproxy, { wrapper });
    const http = await agent.connect();
    const inside = `/proc/${agent.pid}/root${haproxy.root}`;
    const seen = async () => {
      const { stdout } = await sh('cd "$1" && sha256sum conf/* certs/*', inside);
      assert.match(stdout, /conf\/domains\.map/);
      return [stdout, await runningMap(haproxy), await runningSlots(haproxy)];
    };
    await http.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
    const before = await seen();
    const filled = await sh('dd if=/dev/zero of="$1/filler" bs=4096', inside);
    assert.match(filled.stderr, /No space left/);
    for (
      const args of [{ domain: "b.test", ip: "10.0.0.2" }, {
        domain: "c.test",
        share_with: "a.test",
      }]
    ) {
      const error = await http.refused("add_domain", args);
      assert.equal(error.code, "STATE_IO");
      assert.match(error.message, /No space left on device/);
      assert.match(error.hint!, /free space/);
    }
    assert.equal((await http.refused("remove_domain", { domain: "a.test" })).code, "STATE_IO");
    assert.deepEqual(await seen(), before);
    assert.equal((await http.call("list_domains")).structured.count, 1);
    await sh('rm "$1/filler"', inside);
    await http.call("add_domain", { domain: "b.test", ip: "10.0.0.2" });
    assert.equal(await runningMap(haproxy), "a.test pool_1\nb.test pool_2");
  },
});

/** The agent as a user whom modes bind: for root, a copy of the executable that anybody can reach. */
async function asOrdinaryUser(haproxy: Haproxy): Promise<AgentOptions> {
  if (!isRoot) return {};
  const program = await executableForAll(haproxy.root);
  await sh('chown -R 65534:65534 "$1"', haproxy.root);
  return { program, wrapper: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] };
}

Deno.test("a folder or a file that may not be written: the change is STATE_IO, a start ends with 4", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3 });
  const conf = join(haproxy.root, "conf");
  const map = join(conf, "domains.map");
  const user = await asOrdinaryUser(haproxy);
  await using agent = await startServe(haproxy, user);
  const http = await agent.connect();
  await http.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const before = await snapshot(haproxy);
  const refused = async (path: string) => {
    await delay(50);
    for (
      const [name, args] of [
        ["add_domain", { domain: "b.test", ip: "10.0.0.2" }],
        ["remove_domain", { domain: "a.test" }],
      ] as const
    ) {
      const error = await http.refused(name, args);
      assert.equal(error.code, "STATE_IO");
      assert.ok(error.message.includes(path), error.message);
      assert.match(error.message, /Permission denied/);
    }
    assert.deepEqual(await snapshot(haproxy), before);
  };
  await Deno.chmod(map, 0o444);
  await refused(map);
  await Deno.chmod(map, 0o644);
  await Deno.chmod(conf, 0o555);
  try {
    await refused(conf);
    const { code, stderr } = await runAgent(haproxy, ["serve"], user);
    assert.equal(code, 4);
    assert.match(
      stderr,
      /^haproxy-mcp: HAPROXY_ROOT=.* that this user can write is \(.*\/conf: .*\n$/,
    );
    assert.deepEqual(await snapshot(haproxy), before);
  } finally {
    await Deno.chmod(conf, 0o755);
  }
  await http.call("add_domain", { domain: "b.test", ip: "10.0.0.2" });
});

const STARTS = [["serve"], ["stdio"], ["call", "add-domain", "--domain", "b.test"]] as const;

Deno.test("a corrupt servers.json or domains.map: every start ends with 4, says the place, and overwrites nothing", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3 });
  const broken = [
    ["servers.json", '{\n  "pool_1": {"1": {"ip": "10.0.0.1",}}\n}\n', "line 2, column "],
    ["servers.json", '{"pool_1": {"1": {"ip": "10.0.0.1"}}, "pool_1": 5', "line 1, column "],
    ["servers.json", '{"pool_1": {"1": {"ip": "10.0.0.256"}}}\n', "pool_1"],
    ["domains.map", "a.test pool_1\nb.test\n", "line 2"],
  ] as const;
  for (const [name, text, place] of broken) {
    const path = join(haproxy.root, "conf", name);
    const whole = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text);
    const before = await snapshot(haproxy);
    for (const words of STARTS) {
      const { code, stderr, stdout } = await runAgent(haproxy, words);
      assert.deepEqual([code, stdout], [4, ""], stderr);
      assert.ok(stderr.includes(path), stderr);
      assert.ok(stderr.includes(place), stderr);
    }
    assert.deepEqual(without(await snapshot(haproxy), TOKENS), without(before, TOKENS));
    await Deno.writeTextFile(path, whole);
  }
});

Deno.test("a symlink in the root that leads out of it: every start ends with 4 and names it", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3 });
  const outside = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    const link = join(haproxy.root, "conf/more");
    await Deno.symlink(outside, link);
    const before = await snapshotFiles(haproxy);
    for (const words of STARTS) {
      const { code, stderr } = await runAgent(haproxy, words);
      assert.equal(code, 4);
      assert.match(stderr, /^haproxy-mcp: HAPROXY_ROOT=.* without symlinks that lead out is .*\n$/);
      assert.ok(stderr.includes(link), stderr);
    }
    assert.deepEqual(await snapshotFiles(haproxy), before);
    assert.deepEqual([...Deno.readDirSync(outside)], []);
    assert.equal(await runningMap(haproxy), "");
  } finally {
    await Deno.remove(outside, { recursive: true });
  }
});

/** Made by the first `serve`, whatever comes of it. */
const TOKENS = "conf/mcp-token.env";

function without(files: Readonly<Record<string, string>>, name: string) {
  return Object.fromEntries(Object.entries(files).filter(([path]) => path !== name));
}
