/** A tools room that was given up and writes on: nothing of it comes to disk once its successor holds the lock. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { FULL, record } from "../support/evidence/record.ts";
import { eventually } from "../support/eventually.ts";
import { type Agent, BUILDS, startAgent } from "../support/rooms/agent.ts";

const ROUNDS = FULL ? 30 : 1;
/** A terminated worker that lives on has been seen to write thousands of times a second. */
const LOOK_MS = 1_000;

/** The room whose name stands in the lock's file. */
async function holder({ root }: Agent): Promise<number> {
  const text = await Deno.readTextFile(join(root, "data/lock")).catch(() => "");
  return /"room":(\d+)/.test(text) ? Number(RegExp.$1) : 0;
}

/** Lines that the room wrote under another's lock, and one more if it wrote any after `took`. */
async function lateWrites(agent: Agent, room: number, took: () => Promise<void>): Promise<number> {
  const path = join(agent.root, "data/written");
  await took();
  const { size } = await Deno.stat(path);
  await delay(LOOK_MS);
  const text = await Deno.readTextFile(path);
  await Deno.remove(path);
  const lines = text.trimEnd().split("\n");
  assert.ok(lines.length > 10, `${lines.length} writes`);
  const foreign = lines.filter((line) => !line.includes(`"room":${room}}`));
  return foreign.length + Number(text.length > size);
}

for (const build of FULL ? BUILDS : BUILDS.slice(0, 1)) {
  for (const throws of [false, true]) {
    const how = throws ? "turn by turn after an error" : "in one turn";
    Deno.test(`${build}: a terminated room that writes on ${how} writes nothing under its successor's lock`, async () => {
      await using agent = await startAgent({ build });
      const replaced = throws ||
        (await agent.call("test_read", { ms: 0 })).text.startsWith("2.6.");
      const { root, pid } = agent;
      const counts = { tried: 0, denied: 0, escaped: 0 };
      try {
        for (let room = 1; room <= (replaced ? ROUNDS : 1); room++) {
          counts.tried += 1;
          const call = agent.call("test_write_on", { root, pid, room, throws })
            .then(({ code }) => code, () => undefined);
          const late = await lateWrites(agent, room, async () => {
            if (!replaced) return assert.equal(await agent.ended, 70);
            assert.equal(await call, "OUTCOME_UNKNOWN");
            await eventually(async () => await holder(agent) === room + 1, 20_000);
          });
          counts.escaped += late;
          counts.denied += Number(late === 0);
          if (replaced) {
            await eventually(() => agent.log().includes(`Tools room ${room + 1} took over`));
          }
        }
      } finally {
        record("Escapes", "terminated worker", counts);
      }
      assert.equal(counts.escaped, 0);
    });
  }
}
