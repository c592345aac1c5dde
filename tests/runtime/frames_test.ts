import assert from "node:assert/strict";
import fc from "fast-check";
import { frameReader } from "../../lib/runtime/frames.ts";

/** What HAProxy sends for replies, the one to `prompt i` included. */
const wire = (replies: readonly string[], prompt: string) =>
  ["", ...replies].map((reply) => `${reply === "" ? "" : `${reply}\n`}\n${prompt}`).join("");

function read(chunks: readonly string[]): string[] {
  const reader = frameReader();
  return chunks.flatMap((chunk) => {
    reader.push(chunk);
    return [...take(reader)];
  });
}

function* take(reader: ReturnType<typeof frameReader>) {
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) yield frame;
}

const REPLIES = ["", "3.2.26-1", "", "# be_id\n1 pool_1\n> x", "[3]: No such server.", ">", ""];

for (const [version, prompt] of [["3.0", "> "], ["3.2", ""]]) {
  const sent = wire(REPLIES, prompt);

  Deno.test(`the framing of ${version} is read when it is cut at any byte`, () => {
    for (let at = 0; at <= sent.length; at++) {
      assert.deepEqual(read([sent.slice(0, at), sent.slice(at)]), ["", ...REPLIES], `cut at ${at}`);
    }
    assert.deepEqual(read([...sent]), ["", ...REPLIES]);
  });

  Deno.test(`the framing of ${version} is read with any replies in any chunks`, () => {
    // 3.0 writes "+ " before a reply for each line of a payload; no reply of HAProxy's begins so.
    const line = fc.stringMatching(/^[ -*,-~][ -~]{0,19}$/);
    const reply = fc.oneof(
      fc.constant(""),
      fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) => lines.join("\n")),
    );
    fc.assert(
      fc.property(fc.array(reply, { minLength: 1 }), fc.array(fc.nat(200)), (replies, cuts) => {
        const text = wire(["", ...replies], prompt);
        const places = [
          0,
          ...cuts.map((cut) => cut % text.length).sort((a, b) => a - b),
          text.length,
        ];
        const chunks = places.slice(1).map((place, i) => text.slice(places[i], place));
        assert.deepEqual(read(chunks), ["", "", ...replies]);
      }),
    );
  });

  Deno.test(`a reply of 3 MB in the framing of ${version} is read whole`, () => {
    const big = "x".repeat(99).concat("\n").repeat(30_000) + "end";
    const text = wire(["", big, "after"], prompt);
    const chunks = Array.from(
      { length: Math.ceil(text.length / 65_521) },
      (_, i) => text.slice(i * 65_521, (i + 1) * 65_521),
    );
    assert.deepEqual(read(chunks), ["", "", big, "after"]);
  });
}

Deno.test("the framing of 3.0 is read with the marks of payload lines, when it is cut at any byte", () => {
  const sent = "\n> " + "\n> " + "+ + + [5]: done\n\n> " + "+ \n> " + "1 + + 1\n\n> " +
    "+ text\n+ x\n\n> ";
  const replies = ["", "", "[5]: done", "", "1 + + 1", "text\n+ x"];
  for (let at = 0; at <= sent.length; at++) {
    assert.deepEqual(read([sent.slice(0, at), sent.slice(at)]), replies, `cut at ${at}`);
  }
  assert.deepEqual(read([...sent]), replies);
});

Deno.test("a plus at the beginning of a reply of 3.2 is the reply's own", () => {
  assert.deepEqual(read(["\n+ x\n\n"]), ["", "+ x"]);
});

Deno.test("what is not HAProxy's is refused at its first bytes", () => {
  for (const garbage of ["HTTP/1.1 400 Bad Request", "220 smtp", "> ", "\0"]) {
    assert.throws(() => frameReader().push(garbage), SyntaxError, garbage);
  }
});

Deno.test("rest is what has come of a reply that is not whole", () => {
  const reader = frameReader();
  reader.push("\n\nName: HA");
  assert.deepEqual([...take(reader)], ["", ""]);
  assert.equal(reader.rest(), "Name: HA");
});
