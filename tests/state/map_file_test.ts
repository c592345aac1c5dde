import assert from "node:assert/strict";
import fc from "fast-check";
import { parseMapFile } from "../../lib/state/map_file.ts";

const PATH = "/root/conf/domains.map";
const parse = (text: string) => parseMapFile(text, PATH);
const entries = (text: string) => [...parse(text).entries()];

/** The text after some sets. */
function after(text: string, ...sets: [key: string, backend: string | null][]): string {
  const file = parse(text);
  for (const [key, backend] of sets) file.set(key, backend);
  return file.text();
}

Deno.test("entries are read in the file's order, without comments and blank lines", () => {
  const text = "# domains\n\nb.test pool_2\n  # indented\na.test\t pool_1  \n.a.test pool_1\n";
  assert.deepEqual(entries(text), [["b.test", "pool_2"], ["a.test", "pool_1"], [
    ".a.test",
    "pool_1",
  ]]);
});

Deno.test("of several lines of a key the first counts, as in HAProxy", () => {
  assert.deepEqual(entries("a.test pool_1\nb.test pool_2\na.test pool_3\n"), [
    ["a.test", "pool_1"],
    ["b.test", "pool_2"],
  ]);
});

Deno.test("an empty file has no entries and stays empty", () => {
  assert.deepEqual(entries(""), []);
  assert.equal(parse("").text(), "");
  assert.equal(after("", ["a.test", "pool_1"]), "a.test pool_1\n");
});

Deno.test("a missing last newline is added, and CRLF line ends are read and kept", () => {
  assert.equal(after("a.test pool_1", ["b.test", "pool_2"]), "a.test pool_1\nb.test pool_2\n");
  assert.deepEqual(entries("a.test pool_1\r\n# x\r\n\r\nb.test pool_2\r\n").map(([key]) => key), [
    "a.test",
    "b.test",
  ]);
  assert.equal(after("a.test pool_1\r\nb.test pool_2\r\n", ["b.test", null]), "a.test pool_1\r\n");
});

Deno.test("a new key goes to the end, a changed one stays at its place, a removed one leaves no line", () => {
  const text = "# head\na.test pool_1\n\nb.test   pool_2\n# foot\n";
  assert.equal(after(text, ["c.test", "pool_3"]), `${text}c.test pool_3\n`);
  assert.equal(
    after(text, ["a.test", "pool_9"]),
    "# head\na.test pool_9\n\nb.test   pool_2\n# foot\n",
  );
  assert.equal(after(text, ["a.test", null]), "# head\n\nb.test   pool_2\n# foot\n");
  assert.equal(after(text, ["none.test", null]), text);
});

Deno.test("a key that goes and comes back stands at its old place", () => {
  assert.equal(
    after("a.test pool_1\nb.test pool_2\n", ["a.test", null], ["a.test", "pool_3"]),
    "a.test pool_3\nb.test pool_2\n",
  );
});

Deno.test("setting or removing a key takes its other lines out", () => {
  const text = "a.test pool_1\nb.test pool_2\na.test pool_3\n";
  assert.equal(after(text, ["a.test", "pool_4"]), "a.test pool_4\nb.test pool_2\n");
  assert.equal(after(text, ["a.test", null]), "b.test pool_2\n");
});

Deno.test("a change that is taken back leaves the text byte for byte, blanks and second lines too", () => {
  const text = "  a.test \t pool_1 \r\nb.test pool_2\na.test pool_3\n";
  assert.equal(after(text, ["a.test", "pool_4"], ["a.test", "pool_1"]), text);
  assert.equal(after(text, ["a.test", null], ["a.test", "pool_1"]), text);
  assert.equal(after(text, ["c.test", "pool_1"], ["c.test", null]), text);
});

for (
  const [what, line] of [
    ["a key alone", "a.test"],
    ["three words", "a.test pool_1 # mine"],
    ["a key that HAProxy's commands could not carry", "a\\.test pool_1"],
    ["a control character", "a.test pool_\u00011"],
    ["letters beyond ASCII", "münchen.de pool_1"],
    ["a key of 256 characters", `${"a".repeat(256)} pool_1`],
    ["a NUL", "a.test\0 pool_1"],
  ]
) {
  Deno.test(`a line with ${what} is STATE_CORRUPT with file and line`, () =>
    assert.throws(
      () => parse(`# head\n\n${line}\nb.test pool_2\n`),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, "STATE_CORRUPT");
        assert.ok(error.message.startsWith(`${PATH}, line 3: `), error.message);
        return true;
      },
    ));
}

const key = fc.constantFrom("a.test", "b.test", "c.test", ".a.test", "d.test");
const backend = fc.constantFrom("pool_1", "pool_2", "be_other");
const gap = fc.constantFrom(" ", "  ", "\t", " \t ");
const end = fc.constantFrom("\n", "\r\n", " \n");
const line = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom("", " "), key, gap, backend, end).map((parts) =>
      parts.join("")
    ),
  },
  fc.constantFrom("\n", "# comment\n", "   \n", "#\ta.test pool_1\r\n"),
);

Deno.test("parse, set and parse again is a plain Map, and untouched lines stay byte for byte", () => {
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 12 }),
      fc.array(fc.tuple(key, fc.option(backend)), { maxLength: 6 }),
      (lines, sets) => {
        const text = lines.join("");
        const file = parse(text);
        const model = new Map(file.entries());
        for (const [key, backend] of sets) {
          file.set(key, backend);
          if (backend === null) model.delete(key);
          else model.set(key, backend);
        }
        assert.deepEqual(new Map(file.entries()), model);
        assert.deepEqual(new Map(entries(file.text())), model);
        const touched = new Set<string>(sets.map(([key]) => key));
        const isTouched = (line: string) => touched.has(line.trim().split(/[ \t]+/)[0]);
        const rest = (text: string) =>
          text.split(/(?<=\n)/).filter((line) => !isTouched(line)).join("");
        assert.equal(rest(file.text()), rest(text));
      },
    ),
    { numRuns: 2_000 },
  );
});
