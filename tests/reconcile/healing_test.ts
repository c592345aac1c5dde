import assert from "node:assert/strict";
import { AgentError } from "../../lib/errors.ts";
import { startHealing } from "../../lib/reconcile/healing.ts";
import { readProcess } from "../../lib/reconcile/processes.ts";
import { runtimeClient } from "../../lib/runtime/connection.ts";
import { eventually } from "../support/eventually.ts";
import { type Haproxy, startHaproxy } from "../support/haproxy.ts";
import { captureLog } from "../support/log.ts";
import { withoutNoreuseport } from "../support/edit_config.ts";
import { startRival } from "../support/rival.ts";

/** Healing that only notes which processes it would bring in line. */
async function watch(haproxy: Haproxy) {
  const { address: host, port } = haproxy.options.api;
  const runtime = runtimeClient({ host, port });
  const healed: number[] = [];
  const healing = await startHealing({
    runtime,
    async reconcile() {
      const process = await readProcess(runtime);
      healed.push(process.pid);
      return { process, changed: [], problems: [] };
    },
    finish: () => Promise.resolve(),
  });
  return { healing, healed, [Symbol.dispose]: () => healing.close() };
}

Deno.test("each HAProxy process is brought in line once", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  using log = captureLog();
  using watched = await watch(haproxy);
  const first = await haproxy.workerPid();
  assert.deepEqual(watched.healed, [first]);
  await haproxy.reload();
  const second = await haproxy.workerPid();
  await eventually(() => watched.healed.length === 2);
  await haproxy.kill9();
  await eventually(() => log.lines.some((line) => /can't be reached/.test(line)));
  await haproxy.start();
  const third = await haproxy.workerPid();
  await eventually(() => watched.healed.length === 3);
  assert.deepEqual(watched.healed, [first, second, third]);
  assert.equal(log.lines.filter((line) => /share/.test(line)).length, 0);
});

Deno.test("two HAProxys on one port are named in the log, once; nothing is sent to either, and who is left is healed", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1, edit: withoutNoreuseport });
  using log = captureLog();
  using watched = await watch(haproxy);
  const first = await haproxy.workerPid();
  await using rival = await startRival(haproxy);
  const sharing = () => log.lines.filter((line) => /2 HAProxys share 127/.test(line));
  await eventually(() => sharing().length > 0, 20_000);
  for (const pid of [first, rival.pid]) assert.ok(sharing()[0].includes(`process ${pid} (3.2`));
  // They take turns at answering for some looks more.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  assert.equal(sharing().length, 1);
  assert.deepEqual(watched.healed, [first]);
  assert.throws(() => watched.healing.assertAlone(), { code: "CONFLICT" });
  await rival.stop();
  // A change may have reached the other one alone.
  await eventually(() => watched.healed.length === 2);
  assert.deepEqual(watched.healed, [first, first]);
  watched.healing.assertAlone();
  assert.equal(log.lines.filter((line) => /One HAProxy is left/.test(line)).length, 1);
});

Deno.test("when two HAProxys on one port have both ended, nobody is said to share it", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1, edit: withoutNoreuseport });
  using log = captureLog();
  using watched = await watch(haproxy);
  await using rival = await startRival(haproxy);
  await eventually(() => log.lines.some((line) => /2 HAProxys share 127/.test(line)), 20_000);
  await Promise.all([rival.stop(), haproxy.kill9()]);
  await eventually(() => log.lines.some((line) => /can't be reached/.test(line)));
  watched.healing.assertAlone();
});

Deno.test("who starts beside two HAProxys on one port sends nothing to either", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1, edit: withoutNoreuseport });
  await using rival = await startRival(haproxy);
  using log = captureLog();
  using watched = await watch(haproxy);
  assert.deepEqual(watched.healed, []);
  assert.equal(log.lines.filter((line) => /2 HAProxys share 127/.test(line)).length, 1);
  await rival.stop();
  await eventually(() => watched.healed.length === 1);
});

Deno.test("what keeps failing is logged once and then seldom, and does not pass for a HAProxy that was down", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const { address: host, port } = haproxy.options.api;
  using log = captureLog();
  let broken = true;
  let tries = 0;
  const runtime = runtimeClient({ host, port });
  const healing = await startHealing({
    runtime,
    async reconcile() {
      tries++;
      if (broken) throw new AgentError("STATE_CORRUPT", "servers.json, line 3: nonsense.");
      return { process: await readProcess(runtime), changed: [], problems: [] };
    },
    finish: () => Promise.resolve(),
  });
  try {
    await eventually(() => tries >= 4);
    assert.deepEqual(log.lines, ["error: servers.json, line 3: nonsense."]);
    broken = false;
    await eventually(() => log.lines.some((line) => /What failed works again/.test(line)));
    assert.ok(!log.lines.some((line) => /answers again/.test(line)));
  } finally {
    healing.close();
  }
});
