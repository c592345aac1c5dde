/** What becomes of the agent when a room spins, exits, throws, or ignores its cancellation. */
import assert from "node:assert/strict";
import { type Agent, BUILDS, startAgent, waitFor } from "../support/rooms/agent.ts";

const SETTLED_MS = 15_000;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** terminate() ends a spinning room on Deno 2.6 only: elsewhere the process ends instead. */
async function replacesSilentRooms(agent: Agent): Promise<boolean> {
  return (await agent.call("test_read", { ms: 0 })).text.startsWith("2.6.");
}

async function logged(agent: Agent, words: string): Promise<void> {
  const seen = () => agent.log().includes(words) || undefined;
  await waitFor(seen, agent.ended, agent.log, SETTLED_MS);
}

for (const build of BUILDS) {
  for (const tool of ["test_spin", "test_exit"]) {
    Deno.test(`${build}, ${tool}: the room is replaced, or the process ends where that can't be`, async () => {
      await using agent = await startAgent({ build });
      const replaced = await replacesSilentRooms(agent);
      const lost = agent.call(tool).catch(() => undefined);
      if (!replaced) return assert.equal(await agent.ended, 70);
      // The read waits in the port of the stuck room and is sent to the next one.
      const read = agent.call("test_read", { ms: 0 });
      assert.equal((await lost)?.code, "OUTCOME_UNKNOWN");
      assert.equal((await read).code, undefined);
      // The new room may answer before main has heard that it is up.
      await logged(agent, "Tools room 2 took over");
    });
  }

  Deno.test(`${build}, a room that spins under the file lock: its successor takes the lock first`, async () => {
    await using agent = await startAgent({ build });
    const replaced = await replacesSilentRooms(agent);
    const spin = { root: agent.root, pid: agent.pid };
    const lost = agent.call("test_spin", spin).catch(() => undefined);
    if (!replaced) return assert.equal(await agent.ended, 70);
    assert.equal((await lost)?.code, "OUTCOME_UNKNOWN");
    await logged(agent, "Tools room 2 took over");
  });
}

Deno.test("a throw past every handler: a begun write answers OUTCOME_UNKNOWN, a read is sent again", async () => {
  await using agent = await startAgent();
  const read = agent.call("test_read", { ms: 500 });
  const thrown = agent.call("test_throw");
  assert.equal((await thrown).code, "OUTCOME_UNKNOWN");
  assert.equal((await read).code, undefined);
  await logged(agent, "thrown past every handler");
  assert.match(agent.log(), /The tools room is lost: .*thrown past every handler/);
  assert.equal((await agent.call("test_read", { ms: 0 })).code, undefined);
});

Deno.test("a call that ignores its cancellation: answered at its deadline, its room replaced later", async () => {
  await using agent = await startAgent();
  assert.match((await agent.call("test_deaf")).code ?? "", /^(OUTCOME_UNKNOWN|TIMEOUT)$/);
  assert.equal((await agent.call("test_read", { ms: 0 })).code, undefined);
  assert.doesNotMatch(agent.log(), /is lost/);
  await logged(agent, "test_deaf ignored its cancellation");
  await logged(agent, "Tools room 2 took over");
  assert.equal((await agent.call("test_read", { ms: 0 })).code, undefined);
});

Deno.test("a room lost again and again is replaced each time", async () => {
  await using agent = await startAgent();
  for (const room of [2, 3, 4]) {
    assert.equal((await agent.call("test_throw")).code, "OUTCOME_UNKNOWN");
    await logged(agent, `Tools room ${room} took over`);
  }
});

Deno.test("the front room lost: the process ends with 70", async () => {
  await using agent = await startAgent();
  void agent.call("test_spin_front").catch(() => {});
  assert.equal(await agent.ended, 70);
  assert.match(agent.log(), /the front room is lost: it answers no ping/);
});

Deno.test("SIGSTOP for longer than two pings, then SIGCONT: no room is taken for lost", async () => {
  await using agent = await startAgent();
  for (let time = 0; time < 2; time++) {
    Deno.kill(agent.pid, "SIGSTOP");
    await pause(3_000);
    Deno.kill(agent.pid, "SIGCONT");
    await pause(1_500);
  }
  assert.equal((await agent.call("test_read", { ms: 0 })).code, undefined);
  assert.doesNotMatch(agent.log(), /lost/);
});

Deno.test("a client that cancels: the tool is aborted and the room stays", async () => {
  await using agent = await startAgent();
  const cancel = new AbortController();
  const call = agent.call("test_tattle", {}, cancel.signal);
  await pause(300);
  cancel.abort();
  await assert.rejects(call);
  await logged(agent, "tattle was cancelled: AbortError");
  assert.doesNotMatch(agent.log(), /lost/);
});
