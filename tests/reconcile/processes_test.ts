import assert from "node:assert/strict";
import { anotherProcess, readProcess, readProcesses } from "../../lib/reconcile/processes.ts";
import { runtimeClient } from "../../lib/runtime/connection.ts";
import { type Haproxy, HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import { startRival, withoutNoreuseport } from "../support/rival.ts";

const clientOf = ({ options: { api } }: Haproxy) =>
  runtimeClient({ host: api.address, port: api.port });
const never = new AbortController().signal;

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
      const after = await anotherProcess(runtime, before, 10_000, never);
      assert.ok(after && after.key !== before.key);
      const processes = await readProcesses(runtime);
      assert.deepEqual(processes.map(({ key }) => key), [after.key]);
      await reloaded;
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

Deno.test("no other process in time is undefined, and an abort ends the wait", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const runtime = clientOf(haproxy);
  const before = await readProcess(runtime);
  assert.equal(await anotherProcess(runtime, before, 100, never), undefined);
  await assert.rejects(
    anotherProcess(runtime, before, 20_000, AbortSignal.timeout(50)),
    { name: "TimeoutError" },
  );
});
