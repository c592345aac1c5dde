import assert from "node:assert/strict";
import { call, makeFolder } from "./fixtures.ts";
import { acts, NO_BINARY, noContainer, podman } from "./stand_ins.ts";

Deno.test("hostStatus says what there is on this machine", async () => {
  await using folder = await makeFolder();
  await podman(folder);
  const config = await folder.file("haproxy.cfg", "");
  await Deno.utime(config, 1_700_000_000, 1_700_000_000);
  await folder.program("haproxy", "");
  const { hostStatus } = acts(folder, { HAPROXY_CONFIG_FILE: config });
  assert.deepEqual(await hostStatus(undefined, call), {
    config_file: { path: config, modified: "2023-11-14T22:13:20.000Z" },
    container: { name: "haproxy", status: "running" },
    reload: {
      way: "podman",
      tried: [
        {
          way: "master",
          problem: `HAPROXY_MASTER is not set, and there is no ${folder.path}/root/run/master.sock`,
        },
        { way: "podman" },
        { way: "systemd", problem: "there is no systemctl in PATH" },
      ],
      check: "binary",
    },
  });
});

Deno.test("hostStatus: what is missing is an answer", async () => {
  await using folder = await makeFolder();
  const status = (env: Record<string, string>) => acts(folder, env).hostStatus(undefined, call);
  assert.deepEqual(await status(NO_BINARY), {
    config_file: { path: `${folder.path}/root/conf/haproxy.cfg`, problem: "there is no such file" },
    container: { name: "haproxy", status: "no podman" },
    reload: {
      way: null,
      tried: [{ way: "podman", problem: "there is no podman in PATH" }],
      check: null,
    },
  });
  await noContainer(folder);
  assert.equal((await status(NO_BINARY)).container.status, "none");
  await podman(folder, { status: "exited" });
  assert.equal((await status(NO_BINARY)).container.status, "exited");
  await folder.program("podman", "echo 'Error: permission denied' >&2; exit 125");
  const { container, reload } = await status(NO_BINARY);
  assert.equal(container.status, "unknown");
  assert.match(`${reload.tried[0].problem}`, /how container haproxy is: Error: permission denied$/);
});

Deno.test("hostStatus gives up a probe after 3 s, all of them side by side", async () => {
  await using folder = await makeFolder();
  await folder.program("podman", "exec sleep 60");
  await folder.program("systemctl", "exec sleep 60");
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const started = performance.now();
  const { hostStatus } = acts(folder, { HAPROXY_MASTER: `127.0.0.1:${port}` });
  const { container, reload } = await hostStatus(undefined, call);
  listener.close();
  const took = performance.now() - started;
  assert.ok(took < 5_000, `${took} ms`);
  assert.deepEqual([container.status, reload.way], ["unknown", null]);
  for (const { problem } of reload.tried) assert.match(`${problem}`, /did not \S+ within 3 s$/);
});

Deno.test("podman is asked for the container once a call", async () => {
  await using folder = await makeFolder();
  await podman(folder, {}, `esac; case $1 in container) echo once >>'${folder.path}/asked' ;;`);
  await folder.program("haproxy", "");
  await acts(folder, NO_BINARY).hostStatus(undefined, call);
  assert.equal(await Deno.readTextFile(`${folder.path}/asked`), "once\n");
});
