import { deepEqual, equal } from "node:assert/strict";
import { measuring } from "../../lib/front/measuring.ts";
import type { Measured } from "../../lib/measured.ts";
import { pause } from "../../lib/pause.ts";

Deno.test("measuring: what took long to look at is used for longer, so that little time goes to it", async () => {
  let looks = 0;
  const measure = measuring(async () => {
    looks++;
    await pause(150);
    return {} as Measured;
  });
  await measure();
  await pause(1_200);
  deepEqual(await measure(), {});
  equal(looks, 1);
  await pause(500);
  await measure();
  equal(looks, 2);
  await pause(1_700);
});
