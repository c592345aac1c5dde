/** Wrong tokens cost time, and right ones never do. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { createFailures } from "../../../lib/front/access/failures.ts";
import { bearer, INITIALIZE, post, statusOf } from "../raw.ts";
import { FULL_TOKEN, openRig } from "../rig.ts";

/** A clock of its own, and how long each failure was made to wait. */
function fixture() {
  const state = { now: 0, waits: [] as number[] };
  const failures = createFailures(() => state.now, (ms) => {
    state.waits.push(ms);
    return Promise.resolve();
  });
  return { state, failures };
}

Deno.test("createFailures: the first cost nothing, then each one more, then 429", async () => {
  const { state, failures } = fixture();
  const answers = [];
  for (let i = 0; i < 12; i++) answers.push(await failures.note("192.0.2.1"));
  deepEqual(state.waits, [250, 500, 1_000, 2_000, 4_000, 4_000, 4_000]);
  deepEqual(answers.slice(0, 10), new Array(10).fill(undefined));
  deepEqual(answers.slice(10), [12, 18]);
  equal(await failures.note("192.0.2.2"), undefined, "another address");
});

Deno.test("createFailures: a minute after the last one they are forgotten, one by one", async () => {
  const { state, failures } = fixture();
  for (let i = 0; i < 100; i++) await failures.note("192.0.2.1");
  const most = await failures.note("192.0.2.1");
  ok(most !== undefined && most <= 60, `${most}`);
  state.now += 61_000;
  equal(await failures.note("192.0.2.1"), undefined);
  state.now += 120_000;
  state.waits.length = 0;
  for (let i = 0; i < 3; i++) await failures.note("192.0.2.1");
  deepEqual(state.waits, []);
});

Deno.test("createFailures: an IPv6 network is one sender, and so is a mapped IPv4 address", async () => {
  const { failures } = fixture();
  for (let i = 0; i < 11; i++) await failures.note(`2001:db8:0:1::${i + 1}`);
  ok(await failures.note("2001:db8:0:1:ffff::1") !== undefined);
  equal(await failures.note("2001:db8:0:2::1"), undefined);
  for (let i = 0; i < 11; i++) await failures.note("::ffff:192.0.2.9");
  ok(await failures.note("192.0.2.9") !== undefined);
});

Deno.test("wrong tokens end in 429, and a right one passes all the while, from the same address", async () => {
  await using rig = await openRig({ env: { MCP_RATE: "0" } });
  const guesses = Array.from({ length: 30 }, (_, i) => {
    return statusOf(post(rig.url, INITIALIZE, bearer(`guess-${i}`)));
  });
  const right = performance.now();
  equal(await statusOf(post(rig.url, INITIALIZE, bearer(FULL_TOKEN))), 200);
  ok(performance.now() - right < 1_000, "not held up");
  const statuses = await Promise.all(guesses);
  deepEqual([...new Set(statuses)].sort(), [401, 429]);
  ok(statuses.filter((status) => status === 429).length >= 20);
  const again = await post(rig.url, INITIALIZE, bearer("guess"));
  equal(again.status, 429);
  ok(Number(again.headers.get("retry-after")) >= 1);
  await again.body?.cancel();
});
