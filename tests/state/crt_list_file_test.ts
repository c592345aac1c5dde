import assert from "node:assert/strict";
import fc from "fast-check";
import type { AgentError } from "../../lib/errors.ts";
import { addToCrtList, isCertificateName, isCrtListWord } from "../../lib/runtime/commands.ts";
import { parseCrtListFile } from "../../lib/state/crt_list_file.ts";

const FILE = "/opt/haproxy/certs/crt-list.txt";
const parse = (text: string) => parseCrtListFile(text, FILE);

Deno.test("a line is a path, perhaps options in brackets, and names", () => {
  assert.deepEqual(
    parse(`# made by init
/c/default.pem

/c/a.pem [alpn h2,http/1.1  ssl-min-ver TLSv1.2 ] a.test *.a.test !b.a.test
  /c/b.pem\t[]\tb.test
/c/c.pem[ciphers ECDHE+AESGCM:!aNULL]c.test
rel/d.pem`),
    [
      { path: "/c/default.pem", options: [], filters: [], line: 2 },
      {
        path: "/c/a.pem",
        options: ["alpn", "h2,http/1.1", "ssl-min-ver", "TLSv1.2"],
        filters: ["a.test", "*.a.test", "!b.a.test"],
        line: 4,
      },
      { path: "/c/b.pem", options: [], filters: ["b.test"], line: 5 },
      {
        path: "/c/c.pem",
        options: ["ciphers", "ECDHE+AESGCM:!aNULL"],
        filters: ["c.test"],
        line: 6,
      },
      { path: "rel/d.pem", options: [], filters: [], line: 7 },
    ],
  );
  assert.deepEqual(parse(""), []);
});

Deno.test("CRLF is read, and a # behind the path is a name, as HAProxy has it", () => {
  assert.deepEqual(parse("/c/a.pem a.test\r\n\r\n# x\r\n/c/b.pem # x\r\n"), [
    { path: "/c/a.pem", options: [], filters: ["a.test"], line: 1 },
    { path: "/c/b.pem", options: [], filters: ["#", "x"], line: 4 },
  ]);
});

for (
  const [what, line] of [
    ["options behind the names", "/c/a.pem a.test [alpn h2]"],
    ["a bracket that is not closed", "/c/a.pem [alpn h2"],
    ["a bracket that is not opened", "/c/a.pem alpn h2] a.test"],
    ["options twice", "/c/a.pem [alpn h2] [verify none]"],
    ["an option of the store twice", "/c/a.pem [key a.key key b.key]"],
    ["no path", "[alpn h2] a.test"],
    ["a comment behind blanks", "  # hello"],
    ["quotes", '"/c/a.pem"'],
    ["a backslash", "/c/a.pem \\*.a.test"],
    ["a semicolon", "/c/a.pem a;b"],
    ["a letter beyond ASCII", "/c/a.pem müller.test"],
    ["a transaction's mark", "*/c/a.pem"],
  ]
) {
  Deno.test(`a line with ${what} is STATE_CORRUPT with file and line`, () =>
    assert.throws(() => parse(`/c/default.pem\n${line}\n`), (error: AgentError) => {
      assert.equal(error.code, "STATE_CORRUPT");
      assert.ok(error.message.startsWith(`${FILE}, line 2: `), error.message);
      return true;
    }));
}

Deno.test("any text is read or STATE_CORRUPT, and each line that is read can be sent", () => {
  const word = fc.oneof(
    fc.constantFrom("/c/a.pem", "[", "]", "[alpn", "h2]", "a.test", " ", "\n", "#", "\t", "\r\n"),
    fc.string({ unit: "binary", maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(word), fc.constantFrom("", " "), (words, glue) => {
      let lines;
      try {
        lines = parse(words.join(glue));
      } catch (error) {
        assert.equal((error as AgentError).code, "STATE_CORRUPT");
        return;
      }
      for (const line of lines) {
        assert.ok(isCertificateName(line.path));
        assert.ok([...line.options, ...line.filters].every(isCrtListWord));
        addToCrtList("/c/crt-list.txt", line);
      }
    }),
    { numRuns: 3_000 },
  );
});
