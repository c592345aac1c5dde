import assert from "node:assert/strict";
import fc from "fast-check";
import { encode, MAX_LINE } from "../../lib/runtime/encode.ts";

const refused = (...words: string[]) =>
  assert.throws(() => encode(words, "data"), { code: "VALIDATION" }, JSON.stringify(words));

Deno.test("encode joins words by one blank", () => {
  const { line, expects } = encode(["get", "map", "/x/domains.map", "a.test"], "data");
  assert.deepEqual({ line, expects }, { line: "get map /x/domains.map a.test", expects: "data" });
});

for (
  const [what, word] of [
    ["nothing in it", ""],
    ["a newline", "a\nb"],
    ["a newline at its end", "a\n"],
    ["a carriage return", "a\rb"],
    ["a blank", "a b"],
    ["a tab", "a\tb"],
    ["a semicolon", "a;b"],
    ["a backslash", "a\\b"],
    ["a double quote", 'a"b'],
    ["a single quote", "a'b"],
    ["a payload mark", "a<<b"],
    ["a payload mark alone", "<<"],
    ["a NUL", "a\0b"],
    ["DEL", "a\x7fb"],
    ["an escape", "a\x1bb"],
    ["a letter beyond ASCII", "ä"],
    ["a line separator", "a\u2028b"],
    ["a no-break space", "a\u00a0b"],
  ]
) {
  Deno.test(`encode refuses a word with ${what}`, () => refused("get", "map", word));
}

Deno.test("encode refuses no words, and a line longer than HAProxy's buffer surely takes", () => {
  refused();
  const word = "a".repeat(MAX_LINE - 5);
  assert.equal(encode(["show", word], "data").line.length, MAX_LINE);
  refused("show", `${word}a`);
});

Deno.test("whatever encode takes is one line of exactly these words", () => {
  const word = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string(),
    fc.stringMatching(/^[!-~]{1,8}$/),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (words) => {
      let line;
      try {
        ({ line } = encode(words, "data"));
      } catch (error) {
        assert.equal((error as { code: string }).code, "VALIDATION");
        return;
      }
      assert.match(line, /^[\x20-\x7e]+$/);
      assert.doesNotMatch(line, /[;\\"']|<</);
      assert.deepEqual(line.split(" "), words);
    }),
    { numRuns: 5_000 },
  );
});
