/** HAProxy as `init --quadlet` has it started, and the agent beside it as a user with no rights of its own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { executableForAll, startServe } from "../support/agent.ts";
import { startBackend } from "../support/backend.ts";
import { curl, HTTP_VERSIONS, type HttpVersion } from "../support/curl.ts";
import { openPki } from "../support/pki.ts";
import { podmanProblem, startPodmanHaproxy } from "../support/podman.ts";
import { get } from "./site.ts";

const problem = await podmanProblem();
/** Any but root's and the image's. */
const AGENT = 12345;

Deno.test({
  name:
    "a HAProxy of the quadlet is changed and reloaded, over its master CLI, by an agent that is nobody to it",
  ignore: problem !== undefined,
  async fn(t) {
    await using backend = startBackend("one");
    await using pki = await openPki();
    await using haproxy = await startPodmanHaproxy({
      version: "3.4",
      pools: 2,
      slots: 2,
      quadlet: true,
    });
    const { root, masterAddress } = haproxy;
    const { pem, certificate } = await pki.issue(["a.test"]);
    await Deno.writeTextFile(join(root, "certs/a.test.pem"), pem, { mode: 0o600 });
    const program = await executableForAll(root);
    // Keys that their owner alone can read, in a folder that is closed to all others.
    await run("chown", "-R", `${AGENT}:${AGENT}`, root);
    await run("chmod", "755", join(root, ".."));
    await using agent = await startServe(haproxy, {
      program,
      wrapper: ["setpriv", `--reuid=${AGENT}`, `--regid=${AGENT}`, "--clear-groups"]
        .concat("--bounding-set=-all", "--no-new-privs"),
      // No podman, no haproxy of this machine's.
      env: { PATH: "/usr/bin:/bin", HAPROXY_MASTER: masterAddress!, HAPROXY_BINARY: "" },
    });
    const http = await agent.connect();
    const server = { ip: backend.address, http_port: backend.port };
    await http.call("add_domain", { domain: "a.test", ...server });
    await http.call("load_cert", { domain: "a.test" });

    const served = async () => {
      assert.equal((await get(haproxy, "a.test")).body, "one\n");
      for (const version of Object.keys(HTTP_VERSIONS) as HttpVersion[]) {
        const port = haproxy.options.httpsPort;
        const answer = await curl(version, { host: "a.test", port, root: certificate });
        assert.deepEqual(answer, { status: 200, version, body: "one\n" });
      }
    };
    await t.step("the domain is served over HTTP/1.1, HTTP/2 and HTTP/3", served);

    await t.step("haproxy_reload goes by the master CLI", async () => {
      const before = await haproxy.workerPid();
      const { structured } = await http.call("reload", { confirm: true });
      assert.deepEqual([structured.reloaded, structured.way], [true, "master"]);
      assert.notEqual(await haproxy.workerPid(), before);
      await served();
    });

    await t.step("a start by HAProxy alone brings all of it back", async () => {
      await agent.end("SIGTERM");
      await haproxy.kill9();
      await haproxy.start();
      await served();
    });

    await t.step("the workers are the image's user, without a capability", async () => {
      const processes = await haproxy.podman("top", haproxy.container, "huser", "capeff");
      assert.match(processes, /^99 +none$/m);
      assert.doesNotMatch(processes, /^root +none$/m);
    });
  },
});

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
