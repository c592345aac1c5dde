/** The image that the Dockerfile makes, on a base of this machine's: nothing comes from the internet. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { executable, startServe } from "../support/agent.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { podmanProblem } from "../support/podman.ts";
import { containerOptions, makeImageRoot, openPodman } from "../support/podman_engine.ts";

const problem = await podmanProblem();
const DOCKERFILE = new URL("../../Dockerfile", import.meta.url).pathname;
/** Whom the Dockerfile names. */
const USER = 10001;

Deno.test({
  name: "the Dockerfile adds the executable alone, which serves beside HAProxy as an ordinary user",
  ignore: problem !== undefined,
  async fn() {
    await using things = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
    things.defer(() => Deno.remove(folder, { recursive: true }));
    const { bin, podman, remove } = await openPodman(folder);
    const base = join(folder, "base");
    await makeImageRoot(base, "3.4");
    await run("tar", "-C", base, "-cf", `${base}.tar`, ".");
    await podman("import", `${base}.tar`, "localhost/base:1");
    await podman(
      ...["build", "--isolation", "chroot", "--network", "host", "--from", "localhost/base:1"],
      ...["--file", DOCKERFILE, "--tag", "haproxy-mcp", await contextOf(folder)],
    );
    const { stdout: layers } = await podman("history", "--format", "{{.CreatedBy}}", "haproxy-mcp");
    // The base is an ADD.
    assert.equal(layers.match(/\) COPY|\) ADD|RUN/g)?.join(), ") COPY,) ADD", layers);

    const haproxy = things.use(
      await startHaproxy({ pools: 2, slots: 2, masterSocket: `mode,600,uid,${USER}` }),
    );
    const { root } = haproxy;
    await run("chown", "-R", `${USER}:${USER}`, root);
    const { container, options } = containerOptions();
    const program = join(bin, "haproxy-mcp-in-podman");
    const words = [join(bin, "podman"), "run", "--rm", ...options]
      .concat("--user", `${USER}:${USER}`, "--volume", `${root}:${root}`, "--env-host");
    await Deno.writeTextFile(
      program,
      `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(" ")} haproxy-mcp "$@"\n`,
      { mode: 0o755 },
    );
    things.defer(() => remove(container));
    const agent = things.use(
      await startServe(haproxy, {
        program,
        env: { HAPROXY_MASTER: join(root, "run/master.sock"), HAPROXY_BINARY: "" },
      }),
    );
    const http = await agent.connect();
    await http.call("add_domain", { domain: "a.test", ip: "127.0.0.1" });
    const before = await haproxy.workerPid();
    const { structured } = await http.call("reload", { confirm: true });
    assert.equal(structured.way, "master");
    assert.notEqual(await haproxy.workerPid(), before);
    assert.equal((await Deno.stat(join(root, "conf/mcp-token.env"))).uid, USER);
  },
});

/** A folder with the executable and nothing else, as a context is sent as a whole. */
async function contextOf(folder: string): Promise<string> {
  const context = join(folder, "context/haproxy-mcp");
  await Deno.mkdir(dirname(context));
  await Deno.copyFile(executable(), context);
  return dirname(context);
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
