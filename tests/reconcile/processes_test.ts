import assert from "node:assert/strict";
import { processThat, readProcess, readProcesses } from "../../lib/reconcile/processes.ts";
import { runtimeClient } from "../../lib/runtime/connection.ts";
import { type Haproxy, HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import { withoutNoreuseport } from "../support/edit_config.ts";
import { startRival } from "../support/rival.ts";

const clientOf = ({ options: { api } }: Haproxy) =>
  runtimeClient({ host: api.address, port: api.port });
const inMs = (ms: number) => performance.now() + ms;

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: one HAProxy is one process, with its version and the moment of its start`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const [process, ...more] = await readProcesses(clientOf(haproxy));
    assert.deepEqual(more, []);
    assert.equal(process.pid, await haproxy.workerPid());
    assert.ok(process.version.startsWith(version));
    assert.ok(Math.abs(Date.now() / 1000 - process.startedAt) < 60, String(process.startedAt));
    assert.equal(process.stopping, false);
  });

  Deno.test(`${version}: a reload is another process, and never looks like two`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const runtime = clientOf(haproxy);
    for (let i = 0; i < 3; i++) {
      const before = await readProcess(runtime);
      const reloaded = haproxy.reload();
      assert.ok(await processThat(({ key }) => key !== before.key, runtime, inMs(10_000)));
      const processes = await readProcesses(runtime);
      await reloaded;
      assert.deepEqual(
        processes.map(({ key }) => key),
        [(await readProcess(runtime)).key],
      );
    }
  });
}

Deno.test("two HAProxys on one port are both found", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1, edit: withoutNoreuseport });
  const pid = await haproxy.workerPid();
  await using rival = await startRival(haproxy);
  const processes = await readProcesses(clientOf(haproxy));
  const found = processes.map((each) => each.pid).sort();
  await rival.stop();
  assert.deepEqual(found, [pid, rival.pid].sort());
});

Deno.test("no process as wanted in time is false, also where nobody answers", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const runtime = clientOf(haproxy);
  assert.equal(await processThat(() => false, runtime, inMs(100)), false);
  await haproxy.stop();
  assert.equal(await processThat(() => true, runtime, inMs(100)), false);
});
