/** How often a caller may ask. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { createLimiter } from "../../../lib/front/access/rate.ts";
import { bearer, INITIALIZE, post, statusOf } from "../raw.ts";
import { FULL_TOKEN, openRig, READ_TOKEN } from "../rig.ts";

Deno.test("createLimiter: a burst, then so many a second, each key for itself", () => {
  let now = 0;
  const limiter = createLimiter({ perSecond: 2, burst: 3 }, () => now);
  deepEqual([1, 2, 3, 4].map(() => limiter.take("a")), [undefined, undefined, undefined, 1]);
  equal(limiter.take("b"), undefined);
  now = 500;
  deepEqual([limiter.take("a"), limiter.take("a")], [undefined, 1]);
  now = 60_000;
  deepEqual([1, 2, 3, 4].map(() => limiter.take("a")), [undefined, undefined, undefined, 1]);
});

Deno.test("createLimiter: a slow rate says how long to wait", () => {
  const limiter = createLimiter({ perSecond: 1, burst: 1 }, () => 0);
  limiter.take("a");
  equal(limiter.take("a"), 1);
});

Deno.test("createLimiter: a hundred thousand keys don't stay in memory for ever, and who is limited stays so", () => {
  let now = 0;
  const limiter = createLimiter({ perSecond: 1, burst: 2 }, () => now);
  for (let i = 0; i < 100_000; i++) {
    now += 1;
    limiter.take(`key ${i}`);
  }
  limiter.take("greedy");
  limiter.take("greedy");
  equal(limiter.take("greedy"), 1);
});

Deno.test("MCP_RATE: beyond it 429 with Retry-After; another token is not held up by it", async () => {
  await using rig = await openRig({ env: { MCP_RATE: "1/5" } });
  const ask = (token: string) => post(rig.url, INITIALIZE, bearer(token));
  for (let i = 0; i < 5; i++) equal(await statusOf(ask(FULL_TOKEN)), 200);
  const refused = await ask(FULL_TOKEN);
  equal(refused.status, 429);
  match(refused.headers.get("retry-after") ?? "", /^[12]$/);
  match((await refused.json()).error.message, /Too many requests/);
  equal(await statusOf(ask(READ_TOKEN)), 200);
});

Deno.test("MCP_RATE: who has no token shares the address's bucket, and can't empty a token's", async () => {
  await using rig = await openRig({ env: { MCP_RATE: "1/5" } });
  const statuses = [];
  for (let i = 0; i < 7; i++) statuses.push(await statusOf(post(rig.url, INITIALIZE)));
  deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429]);
  equal(await statusOf(post(rig.url, INITIALIZE, bearer(FULL_TOKEN))), 200);
});

Deno.test("MCP_RATE=0: no limit", async () => {
  await using rig = await openRig({ env: { MCP_RATE: "0" } });
  const statuses = await Promise.all(
    Array.from({ length: 150 }, () => statusOf(post(rig.url, {}, bearer(FULL_TOKEN)))),
  );
  ok(!statuses.includes(429));
});
