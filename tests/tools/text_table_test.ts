import assert from "node:assert/strict";
import { bytes, duration, textTable } from "../../tools/text_table.ts";

Deno.test("a column is as wide as its widest cell, numbers stand to the right", () => {
  assert.equal(
    textTable(["SERVER", "WEIGHT", "STATE"], [["pool_1_1", 1, "ready"], ["b", 256, "maint"]]),
    "SERVER    WEIGHT  STATE\npool_1_1       1  ready\nb            256  maint",
  );
});

Deno.test("numbers with units and missing ones stand to the right as well", () => {
  assert.equal(
    textTable(["A", "IN"], [["x", "12 kB"], ["y", "-"]]),
    "A     IN\nx  12 kB\ny      -",
  );
});

Deno.test("durations of one unit and of two share a column", () => {
  assert.equal(
    textTable(["A", "SINCE"], [["x", "3s"], ["y", "12m5s"]]),
    "A  SINCE\nx     3s\ny  12m5s",
  );
});

Deno.test("a table without rows is its header", () => {
  assert.equal(textTable(["A", "LONG"], []), "A  LONG");
});

Deno.test("bytes come in thousands with three digits at most", () => {
  const cases: [number, string][] = [
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1 kB"],
    [1540, "1.5 kB"],
    [99_960, "100 kB"],
    [999_499, "999 kB"],
    [999_600, "1 MB"],
    [12_300_000, "12.3 MB"],
    [5e18, "5000 PB"],
  ];
  for (const [count, text] of cases) assert.equal(bytes(count), text, String(count));
});

Deno.test("durations have two units at most", () => {
  const cases: [number, string][] = [
    [0, "0s"],
    [59, "59s"],
    [60, "1m0s"],
    [3_599, "59m59s"],
    [3_600, "1h0m"],
    [86_399, "23h59m"],
    [90_061, "1d1h"],
  ];
  for (const [seconds, text] of cases) assert.equal(duration(seconds), text);
});
