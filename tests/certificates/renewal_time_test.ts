import assert from "node:assert/strict";
import fc from "fast-check";
import {
  daysLeft,
  isAhead,
  isDue,
  nextTry,
  renewalTime,
} from "../../lib/certificates/renewal_time.ts";

const DAY = 86_400_000, HOUR = 3_600_000;
const START = Date.parse("2026-01-01T00:00:00Z");
const at = (days: number) => new Date(START + days * DAY);
const iso = (days: number) => at(days).toISOString();
const lasting = (days: number) => ({ notBefore: iso(0), notAfter: iso(days) });
const window = (start: number, end: number) => ({ start: iso(start), end: iso(end) });

Deno.test("renewalTime is two thirds of the lifetime, half of it up to 10 days", () => {
  const table: readonly (readonly [number, number])[] = [
    [90, 60],
    [45, 30],
    [12, 8],
    [10, 5],
    [6, 3],
    [1, 0.5],
    [3650, 3650 * 2 / 3],
  ];
  for (const [days, renewed] of table) {
    assert.deepEqual(renewalTime(lasting(days)), at(renewed), `${days} days`);
  }
});

Deno.test("renewalTime is in the CA's window, where pick says", () => {
  const table: readonly (readonly [number, number])[] = [[0, 60], [0.25, 60.5], [1, 62]];
  for (const [pick, renewed] of table) {
    assert.deepEqual(renewalTime(lasting(90), window(60, 62), pick), at(renewed));
  }
});

Deno.test("a window that is over, as after a revocation, is due now", () => {
  assert.ok(isDue(renewalTime(lasting(90), window(-2, -1), 0.9), at(5)));
  assert.ok(!isDue(renewalTime(lasting(90), window(60, 62)), at(5)));
});

Deno.test("a window that ends before it starts, or is no time, is ignored", () => {
  for (const { start, end } of [window(50, 40), window(50, 50), { start: "x", end: "" }]) {
    assert.deepEqual(renewalTime(lasting(90), { start, end }), at(60));
  }
});

Deno.test("a window at the end leaves a tenth of the lifetime, at most 7 days", () => {
  assert.deepEqual(renewalTime(lasting(90), window(89, 95)), at(83));
  assert.deepEqual(renewalTime(lasting(30), window(30, 60)), at(27));
  assert.deepEqual(renewalTime(lasting(6), window(5, 6)), at(5.4));
});

Deno.test("whatever the window, renewalTime leaves that much", () => {
  const days = fc.double({ min: -100, max: 500, noNaN: true });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 400 }),
      days,
      days,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (lifetime, start, end, pick) => {
        const renewed = renewalTime(lasting(lifetime), window(start, end), pick);
        assert.ok(renewed.getTime() <= START + (lifetime - Math.min(7, lifetime / 10)) * DAY + 1);
      },
    ),
  );
});

Deno.test("isDue is true from that moment on", () => {
  assert.deepEqual([0, 1, 2].map((day) => isDue(at(1), at(day))), [false, true, true]);
});

Deno.test("nextTry waits 1, 2, 4 … 24 hours", () => {
  const hours = [0, 1, 2, 3, 4, 5, 6, 7, 5000].map((failures) =>
    (nextTry(failures, at(0)).getTime() - START) / HOUR
  );
  assert.deepEqual(hours, [0, 1, 2, 4, 8, 16, 24, 24, 24]);
});

Deno.test("nextTry is not before Retry-After, which counts up to 7 days", () => {
  assert.deepEqual(nextTry(1, at(0), at(2)), at(2));
  assert.deepEqual(nextTry(9, at(0), at(0.1)), at(1));
  assert.deepEqual(nextTry(1, at(0), at(-5)), at(1 / 24));
  assert.deepEqual(nextTry(1, at(0), at(400)), at(7));
});

Deno.test("daysLeft is rounded down, and negative when expired", () => {
  const table: readonly (readonly [number, number])[] = [
    [0, 30],
    [0.01, 29],
    [29.5, 0],
    [30, 0],
    [30.01, -1],
    [32, -2],
  ];
  for (const [now, left] of table) assert.equal(daysLeft(iso(30), at(now)), left, `day ${now}`);
});

Deno.test("isAhead: a moment further off than any pause was noted by a wrong clock, and is not waited for", () => {
  const now = START;
  assert.equal(isAhead(at(-1), now), false);
  assert.equal(isAhead(at(0), now), false);
  assert.equal(isAhead(at(0.1), now), true);
  assert.equal(isAhead(nextTry(99, at(0), at(400)), now), true);
  assert.equal(isAhead(at(8), now), false);
  assert.equal(isAhead(at(365), now), false);
  assert.equal(isAhead(NaN, now), false);
});
