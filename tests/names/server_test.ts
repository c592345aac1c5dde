import assert from "node:assert/strict";
import fc from "fast-check";
import { isWeight, poolName, poolNumber, serverName, slotOf } from "../../lib/names/server.ts";

const SHAPE = { poolCount: 100, maxSlots: 10 };

Deno.test("poolNumber and slotOf take back what poolName and serverName wrote", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: SHAPE.poolCount }),
    fc.integer({ min: 1, max: SHAPE.maxSlots }),
    (number, slot) => {
      const pool = poolName(number);
      assert.equal(poolNumber(pool, SHAPE), number);
      assert.equal(slotOf(pool, serverName(pool, slot), SHAPE), slot);
    },
  ));
});

for (
  const name of [
    "pool_0",
    "pool_101",
    "pool_01",
    "pool_",
    "pool_1x",
    "xpool_1",
    "pool_1_1",
    "POOL_1",
    "pool_-1",
    "pool_1\n",
    "be_mcp",
  ]
) {
  Deno.test(`poolNumber knows no pool ${JSON.stringify(name)} among 100`, () =>
    assert.equal(poolNumber(name, SHAPE), undefined));
}

for (
  const name of [
    "pool_1_0",
    "pool_1_11",
    "pool_1_01",
    "pool_1_",
    "pool_1",
    "pool_2_1",
    "pool_1_1x",
    "pool_1_1\n",
    "pool_11_1",
  ]
) {
  Deno.test(`slotOf finds no slot of pool_1 in ${JSON.stringify(name)}`, () =>
    assert.equal(slotOf("pool_1", name, SHAPE), undefined));
}

Deno.test("isWeight takes the integers 0 to 256 and nothing else", () => {
  for (const weight of [0, 1, 37, 256]) assert.ok(isWeight(weight), String(weight));
  for (const weight of [-1, 257, 1.5, NaN, "1", "50%", null, undefined, true, 2n]) {
    assert.equal(isWeight(weight), false, String(weight));
  }
});
