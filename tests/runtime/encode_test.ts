import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Command,
  encode,
  MAX_LINE,
  MAX_WITH_PAYLOAD,
  type Payload,
  wire,
} from "../../lib/runtime/encode.ts";

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

const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const SET = ["set", "ssl", "cert", "/a.pem"];
const set = (pem: string) => encode(SET, "set cert", { pem });

Deno.test("a payload follows its command on lines of its own, up to the line that ends it", () => {
  const command = set(CERTIFICATE);
  assert.equal(command.line, "set ssl cert /a.pem <<%END%");
  assert.equal(wire(command), `set ssl cert /a.pem <<%END%\n${CERTIFICATE}%END%\n`);
  const words = encode(["add", "ssl", "crt-list", "/l"], "add crt-list", {
    words: ["/a.pem", "[ssl-min-ver", "TLSv1.2]", "*.a.test"],
  });
  assert.equal(
    wire(words),
    "add ssl crt-list /l <<%END%\n/a.pem [ssl-min-ver TLSv1.2] *.a.test\n%END%\n",
  );
  assert.equal(wire(encode(["show", "info"], "data")), "show info\n");
});

Deno.test("a payload shows neither in JSON, nor in an inspection, nor in a copy of the command", () => {
  const command = set(CERTIFICATE);
  for (
    const text of [JSON.stringify(command), Deno.inspect(command), JSON.stringify({ ...command })]
  ) {
    assert.doesNotMatch(text, /MIIB/);
    assert.match(text, /set ssl cert/);
  }
});

for (
  const [what, pem] of [
    ["nothing in it", ""],
    ["a blank line alone", "\n"],
    ["a blank line", CERTIFICATE.replace("MIIB", "MIIB\n")],
    ["a blank line at its end", `${CERTIFICATE}\n`],
    ["no newline at its end", CERTIFICATE.trimEnd()],
    ["a carriage return", CERTIFICATE.replaceAll("\n", "\r\n")],
    ["the line that ends it", CERTIFICATE.replace("MIIB", "%END%")],
    ["a command", `${CERTIFICATE}show info\n`],
    ["a comment", `# a.test\n${CERTIFICATE}`],
    ["a blank in base64", CERTIFICATE.replace("MIIB", "MI IB")],
    ["a semicolon", CERTIFICATE.replace("MIIB", "MI;IB")],
    ["a NUL", CERTIFICATE.replace("MIIB", "MI\0IB")],
    ["a letter beyond ASCII", CERTIFICATE.replace("MIIB", "MIäIB")],
    ["a very long line", CERTIFICATE.replace("MIIB", "A".repeat(10_000))],
  ]
) {
  Deno.test(`encode refuses a PEM with ${what}, and does not say what stands in it`, () =>
    assert.throws(() => set(pem), (error: { code: string; message: string }) => {
      assert.equal(error.code, "VALIDATION");
      assert.doesNotMatch(error.message, /MI|AAAA|show info|a\.test/);
      return true;
    }));
}

Deno.test("encode refuses payload words that would end the payload, or more than a line of words", () => {
  for (
    const words of [["%END%"], [], ["a\nb"], ["a", ""], ["a b"], ["a;b"], ["<<"], ["a\n%END%\n"]]
  ) {
    assert.throws(() => encode(SET, "add crt-list", { words }), { code: "VALIDATION" });
  }
});

Deno.test("encode takes what fits into tune.bufsize, and not one byte more", () => {
  const around = wire(set(CERTIFICATE)).length;
  const filler = (bytes: number) => {
    const lines = "A".repeat(63).concat("\n").repeat(Math.floor(bytes / 64) - 1);
    return lines + "A".repeat(bytes - lines.length - 1) + "\n";
  };
  const whole = set(CERTIFICATE + filler(MAX_WITH_PAYLOAD - around));
  assert.equal(wire(whole).length, MAX_WITH_PAYLOAD);
  assert.throws(
    () => set(CERTIFICATE + filler(MAX_WITH_PAYLOAD - around + 1)),
    { code: "VALIDATION", message: /has 16384 bytes with its payload, of at most 16383/ },
  );
});

Deno.test("any payload is refused, or is exactly what follows one command", () => {
  const line = fc.oneof(
    fc.constantFrom("%END%", "", "-----BEGIN A-----", "-----END A-----", "<<", "quit", "[x", "y]"),
    fc.stringMatching(/^[A-Za-z0-9+/]{1,64}={0,2}$/),
    fc.stringMatching(/^[!-~]{1,8}$/),
    fc.string({ unit: "binary", maxLength: 8 }),
  );
  const payload: fc.Arbitrary<Payload> = fc.oneof(
    fc.array(line).map((lines) => ({ pem: lines.map((each) => `${each}\n`).join("") })),
    fc.array(line).map((lines) => ({ pem: lines.join("\n") })),
    fc.array(line).map((words) => ({ words })),
  );
  fc.assert(
    fc.property(payload, (payload) => {
      let command: Command;
      try {
        command = encode(SET, "set cert", payload);
      } catch (error) {
        assert.equal((error as { code: string }).code, "VALIDATION");
        return;
      }
      const [first, ...rest] = wire(command).split("\n");
      assert.equal(first, "set ssl cert /a.pem <<%END%");
      // HAProxy reads on to the first line that is the end's mark.
      assert.deepEqual([rest.indexOf("%END%"), rest.at(-1)], [rest.length - 2, ""]);
      const sent = rest.slice(0, -2);
      if ("pem" in payload) assert.equal(sent.map((each) => `${each}\n`).join(""), payload.pem);
      else assert.deepEqual(sent, [payload.words.join(" ")]);
      assert.ok(sent.every((each) => /^[!-~]+( [!-~]+)*$/.test(each)));
    }),
    { numRuns: 5_000 },
  );
});
