import assert from "node:assert/strict";
import { displayWidth, table } from "../../lib/cli/table.ts";

const rows = [
  { domain: "a.test", pool: "pool_1", wildcard: false, days_left: 12, note: "", names: [] },
  {
    domain: "b.test",
    pool: "pool_12",
    wildcard: true,
    days_left: 300,
    note: null,
    names: ["x", "y"],
  },
];

Deno.test("table: a column for each key that says something, numbers to the right, lists in one cell", () => {
  assert.deepEqual(
    table([...rows, { ...rows[0], count: 5 }, { ...rows[0], count: 1234 }], 80).lines,
    [
      "DOMAIN  POOL     WILDCARD  DAYS LEFT  NAMES  COUNT",
      "a.test  pool_1   no          12 days",
      "b.test  pool_12  yes        300 days  x, y",
      "a.test  pool_1   no          12 days             5",
      "a.test  pool_1   no          12 days          1234",
    ],
  );
});

Deno.test("table: a server in a cell is its name and address, and its state where that is not ready", () => {
  const servers = [
    { slot: 1, name: "pool_1_1", ip: "10.0.0.1", http_port: 80, state: "ready", weight: 1 },
    { slot: 2, name: "pool_1_2", ip: "2001:db8::1", http_port: 81, state: "drain", weight: 1 },
  ];
  assert.equal(
    table([{ domain: "a.test", servers }], 80).lines[1],
    "a.test  pool_1_1=10.0.0.1:80, pool_1_2=[2001:db8::1]:81 drain",
  );
  const last = [{ domain: "a.test", last: { at: "then", code: "OK" } }];
  assert.equal(table(last, 80).lines[1], "a.test  at then code OK");
});

Deno.test("table: what is too wide is wrapped at blanks, and cut only where a word is longer than the line", () => {
  const long = [{ domain: "a.test", text: "one two three four five six" }];
  assert.deepEqual(table(long, 26).lines, [
    "DOMAIN  TEXT",
    "a.test  one two three four",
    "        five six",
  ]);
  const word = [{ domain: "a.test", text: "x".repeat(40) }];
  assert.deepEqual(table(word, 28).lines.slice(1), [
    `a.test  ${"x".repeat(20)}`,
    `        ${"x".repeat(20)}`,
  ]);
});

Deno.test("table: where wrapping is not enough the widest columns go, but never the first, nor how things are", () => {
  const wide = [{
    domain: "d".repeat(30),
    file: "f".repeat(50),
    issuer: "i".repeat(40),
    days_left: 3,
    loaded: false,
    problem: "expired",
  }];
  const { lines, leftOut } = table(wide, 60);
  assert.deepEqual(leftOut, ["file", "issuer"]);
  assert.match(lines[0], /^DOMAIN +DAYS LEFT +LOADED +PROBLEM$/);
  assert.deepEqual(table(wide, 10).leftOut, ["file", "issuer"]);
});

for (const columns of [20, 40, 79, 80, 120, 500]) {
  Deno.test(`table: no line is longer than ${columns} where the columns can be made to fit`, () => {
    const some = Array.from({ length: 20 }, (_, i) => ({
      domain: `d${i}.test`,
      names: Array.from({ length: i }, (_, n) => `name${n}.d${i}.test`),
    }));
    for (const line of table(some, columns).lines) assert.ok(displayWidth(line) <= columns, line);
  });
}

Deno.test("table: what others have sent can't move the cursor, nor begin a line", () => {
  const [, line] = table([{ name: "a\x1b[2J\x9b1m\x07b\nc" }], 80).lines;
  assert.equal(line, "a\\x1b[2J\\x9b1m\\x07b c");
});

Deno.test("displayWidth: wide letters take two places, marks none", () => {
  assert.deepEqual(["abc", "äöü", "東京", "e\u0301", ""].map(displayWidth), [3, 3, 4, 1, 0]);
});
