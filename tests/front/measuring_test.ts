import { deepEqual, equal, notDeepEqual } from "node:assert/strict";
import { measuring } from "../../lib/front/measuring.ts";
import type { Measured } from "../../lib/measured.ts";
import { pause } from "../../lib/pause.ts";

const UP = { haproxy: { up: true } } as Measured;

for (
  const [what, look] of [
    ["that HAProxy is down", () => Promise.resolve({ haproxy: { up: false } } as Measured)],
    ["that nothing can be known", () => Promise.reject(new Error("no answer in time"))],
  ] as const
) {
  Deno.test(`measuring: ${what} is looked at again after a second, however long it took to see`, async () => {
    let looks = 0;
    const measure = measuring(async () => {
      looks++;
      await pause(300);
      return await (looks === 1 ? look() : UP);
    });
    notDeepEqual(await measure(), UP);
    await pause(1_100);
    deepEqual(await measure(), UP);
    equal(looks, 2);
    // Its timer is this test's.
    await pause(3_200);
  });
}

Deno.test("measuring: what took long to look at is used for longer, so that little time goes to it", async () => {
  let looks = 0;
  const measure = measuring(async () => {
    looks++;
    await pause(150);
    return UP;
  });
  await measure();
  await pause(1_200);
  deepEqual(await measure(), UP);
  equal(looks, 1);
  await pause(500);
  await measure();
  equal(looks, 2);
  await pause(1_700);
});
