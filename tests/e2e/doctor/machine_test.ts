/** What doctor finds wrong with the machine and with the agent. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { startServe } from "../../support/agent.ts";
import { startBackend } from "../../support/backend.ts";
import { found, runDoctor, shown, testBreakages, under, wrong } from "../../support/doctor.ts";
import { startHaproxy } from "../../support/haproxy.ts";
import { freePort } from "../../support/ports.ts";

/** A master CLI's address at which nobody listens. */
const NOWHERE = "127.0.0.1:1";

testBreakages([
  {
    what: "a file is from the future",
    do: async (haproxy) => {
      const later = Date.now() / 1000 + 86_400;
      await Deno.utime(under(haproxy, "conf/domains.map"), later, later);
    },
    wrong: ["clock: fault"],
    message: /by this machine's clock it is \S+Z, and \S+domains\.map is from \S+Z/,
    remedy: /timedatectl set-ntp true/,
  },
  {
    what: "few files may be opened",
    options: { wrapper: ["sh", "-c", 'ulimit -n 500; exec "$@"', "sh"] },
    wrong: ["open-files: warning"],
    message: /may have 500 files open/,
    remedy: /LimitNOFILE=65536/,
  },
  {
    what: "no way to a reload works",
    env: () => ({ HAPROXY_MASTER: NOWHERE, PATH: "/nowhere" }),
    wrong: ["reload: warning"],
    message: /can't work\. master: .*127\.0\.0\.1:1 .*; podman: .*; systemd: /,
    remedy: /haproxy -W -S \S+master\.sock,mode,600/,
  },
  {
    what: "HAPROXY_RELOAD names a way that does not work",
    env: () => ({ HAPROXY_RELOAD: "master", HAPROXY_MASTER: NOWHERE }),
    wrong: ["reload: fault"],
    message: /can't work\. master: /,
    remedy: /HAPROXY_RELOAD=auto/,
  },
  {
    what: "no serve answers",
    env: () => ({ MCP_PORT: String(freePort()) }),
    wrong: ["serve: warning"],
    message: /no serve answers at 127\.0\.0\.1:\d+/,
    remedy: /haproxy-mcp serve/,
  },
  {
    what: "loopback is trusted",
    env: () => ({ MCP_TRUSTED_NETWORKS: "10.0.0.0/8,127.0.0.0/8" }),
    wrong: ["trusted-networks: warning"],
    message:
      /holds 127\.0\.0\.1: full access without a token for every user and program of this machine/,
    remedy: /Leave loopback out/,
  },
]);

Deno.test("doctor names it where something else listens in the place of serve", async () => {
  await using stranger = startBackend("stranger");
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const report = await runDoctor(haproxy, { env: { MCP_PORT: String(stranger.port) } });
  assert.deepEqual(wrong(report), ["serve: fault"], shown(report));
  const { message, remedy } = found(report, "serve");
  assert.match(message, /something else than haproxy-mcp answers at 127\.0\.0\.1:\d+/);
  assert.match(remedy!, /ss -ltnp/);
});

Deno.test("doctor names a host that HAProxy leads to the agent and that the agent refuses, whether serve runs or not", async () => {
  const port = freePort();
  const mcp = { host: "mcp.example.com", address: "127.0.0.1", port };
  await using haproxy = await startHaproxy({ pools: 1, slots: 1, mcp });
  const env = { MCP_PORT: String(port) };
  const listed = { ...env, MCP_ALLOWED_HOSTS: "127.0.0.1,mcp.example.com" };
  const before = await runDoctor(haproxy, { env });
  assert.deepEqual(wrong(before), ["serve: warning", "allowed-hosts: fault"], shown(before));
  assert.deepEqual(wrong(await runDoctor(haproxy, { env: listed })), ["serve: warning"]);
  {
    await using _agent = await startServe(haproxy, { env });
    // What counts is what serve was told, not what doctor is.
    const report = await runDoctor(haproxy, { env: listed });
    assert.deepEqual(wrong(report), ["allowed-hosts: fault"], shown(report));
    const { message, remedy } = found(report, "allowed-hosts");
    assert.match(message, /HAProxy leads mcp\.example\.com to the agent, which refuses that Host/);
    assert.match(remedy!, /MCP_ALLOWED_HOSTS=localhost,127\.0\.0\.1,mcp\.example\.com/);
  }
  await using _agent = await startServe(haproxy, { env: listed });
  const report = await runDoctor(haproxy, { env });
  assert.deepEqual(wrong(report), [], shown(report));
  const trusting = { ...env, MCP_TRUSTED_NETWORKS: "::/0,0.0.0.0/0" };
  const open = found(await runDoctor(haproxy, { env: trusting }), "trusted-networks");
  assert.equal(open.status, "fault");
  assert.match(open.message, /whomever HAProxy forwards from there, that is everybody/);
});

Deno.test("doctor names a single file that HAProxy's container mounts", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const bin = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  await using _folder = { [Symbol.asyncDispose]: () => Deno.remove(bin, { recursive: true }) };
  const root = await Deno.realPath(haproxy.root);
  const inspected = (source: string) =>
    JSON.stringify([{
      State: { Status: "running" },
      Mounts: [{ Source: join(root, source), Destination: "/etc/haproxy/x" }],
    }]);
  const podman = async (source: string) =>
    await Deno.writeTextFile(join(bin, "podman"), `#!/bin/sh\necho '${inspected(source)}'\n`, {
      mode: 0o755,
    });
  const env = { PATH: `${bin}:${Deno.env.get("PATH")}` };
  await podman("conf/domains.map");
  const report = await runDoctor(haproxy, { env });
  assert.deepEqual(wrong(report), ["container-mounts: fault"], shown(report));
  const { message, remedy } = found(report, "container-mounts");
  assert.match(message, /mounts the file \S+conf\/domains\.map and not its folder/);
  assert.match(remedy!, /--volume \S+\/conf:/);
  await podman("conf");
  assert.deepEqual(wrong(await runDoctor(haproxy, { env })), []);
});

/** In a mount namespace of doctor's own, so that nothing is mounted when it has ended. */
const SMALL_DISK = `
keep=$(mktemp -d) && cp -a "$0/." "$keep" && mount -t tmpfs -o size=4m,mode=0755 tmpfs "$0" &&
cp -a "$keep/." "$0" && rm -r "$keep" && exec "$@"`;
const mounting = new Deno.Command("unshare", {
  args: ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
  stdout: "null",
  stderr: "null",
});
const canMount = await mounting.output().then(({ success }) => success, () => false);

Deno.test({
  name: "doctor names a disk that is nearly full",
  ignore: !canMount,
  async fn() {
    await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
    const wrapper = ["unshare", "-rm", "sh", "-c", SMALL_DISK, haproxy.root];
    const report = await runDoctor(haproxy, { wrapper });
    assert.deepEqual(wrong(report), ["disk: fault"], shown(report));
    const { message, remedy } = found(report, "disk");
    assert.match(message, /^[34] MB, \d+ files free on the disk of \S+/);
    assert.match(remedy!, /df -h \S+; df -i/);
  },
});
