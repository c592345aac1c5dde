import assert from "node:assert/strict";
import fc from "fast-check";
import { readTar, type TarFile, writeTar } from "../../lib/backup/tar.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const file = (name: string, text = "content\n"): TarFile => ({ name, content: bytes(text) });
const time = 1_790_000_000;

/** A name as files have them; long ones go into a header of their own. */
const name = fc.array(
  fc.string({ unit: fc.constantFrom(..."abcé*.-_ 0"), minLength: 1, maxLength: 120 }),
  { minLength: 1, maxLength: 3 },
).map((parts) => parts.join("/"));
const files = fc.uniqueArray(
  fc.record({ name, content: fc.uint8Array({ maxLength: 1500 }) }),
  { maxLength: 5, selector: ({ name }) => name },
);

Deno.test("readTar reads what writeTar has written, whatever the names and contents", () => {
  fc.assert(fc.property(files, (written) => {
    const read = readTar(writeTar(written, { time }));
    assert.deepEqual(
      read.map(({ name, content }) => [name, [...content]]),
      written.map(({ name, content }) => [name, [...content]]),
    );
  }));
});

Deno.test("tar itself lists and extracts what writeTar has written", async () => {
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    const long = `certs/${"a".repeat(60)}.${"b".repeat(60)}.test.pem`;
    const written = [file("conf/domains.map", "a.test pool_1\n"), file(long), file("empty", "")];
    await Deno.writeFile(`${folder}/a.tar`, writeTar(written, { time }));
    const { code, stderr } = await new Deno.Command("tar", {
      args: ["-xf", "a.tar"],
      cwd: folder,
    }).output();
    assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
    for (const { name, content } of written) {
      const path = `${folder}/${name}`;
      assert.deepEqual(await Deno.readFile(path), content);
      const { mode, mtime } = await Deno.stat(path);
      assert.deepEqual([mode! & 0o777, mtime?.getTime()], [0o600, time * 1000]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readTar of whatever bytes answers, or throws a SyntaxError that says where", () => {
  const fails = (archive: Uint8Array) => {
    try {
      readTar(archive);
    } catch (cause) {
      assert.ok(cause instanceof SyntaxError, String(cause));
      assert.match(cause.message, /^at byte \d+ /);
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2048 }), fails));
  const whole = writeTar([file("a"), file("b".repeat(150))], { time });
  const changed = fc.record({
    at: fc.nat(whole.length - 1),
    byte: fc.integer({ max: 255, min: 0 }),
  });
  fc.assert(fc.property(changed, ({ at, byte }) => fails(whole.with(at, byte))));
});

Deno.test("readTar refuses every archive that is cut short, and one with something behind its end", () => {
  const whole = writeTar([file("a"), file("b".repeat(150))], { time });
  for (let length = 0; length < whole.length; length += 64) {
    assert.throws(() => readTar(whole.subarray(0, length)), SyntaxError, String(length));
  }
  const longer = new Uint8Array(whole.length + 512);
  longer.set(whole);
  assert.equal(readTar(longer).length, 2);
  longer[longer.length - 1] = 1;
  assert.throws(() => readTar(longer), /something follows its end/);
});

/** A header's fields by name, and where they begin (POSIX.1, pax). */
const FIELDS = { type: 156, link: 157, magic: 257, owner: 265, size: 124, name: 0 } as const;

/** The archive with another text in a field of its first header, whose checksum is right. */
function withField(field: keyof typeof FIELDS, text: string): Uint8Array {
  const archive = writeTar([file("a")], { time });
  archive.set(bytes(text), FIELDS[field]);
  archive.fill(0x20, 148, 156);
  const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  archive.set(bytes(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return archive;
}

for (
  const [field, text, why] of [
    ["type", "1", /no plain file \(type "1"\)/],
    ["type", "2", /no plain file \(type "2"\)/],
    ["type", "3", /no plain file/],
    ["type", "5", /no plain file/],
    ["type", "6", /no plain file/],
    ["type", "L", /no plain file/],
    ["type", "g", /no plain file/],
    ["type", "x", /an extension is no name/],
    ["link", "/etc/passwd", /its link is not empty/],
    ["owner", "root", /its owners is not empty/],
    ["magic", "ustar  ", /no tar archive/],
    ["size", "99999999999", /its size is no number/],
    ["size", "77777777777", /a file ends too early/],
    ["size", "-0000000001", /its size is no number/],
    ["name", "a\0b", /its name can't be read/],
  ] as const
) {
  Deno.test(`readTar refuses a header whose ${field} is ${JSON.stringify(text)}`, () => {
    assert.throws(() => readTar(withField(field, text)), why);
  });
}

Deno.test("readTar refuses a header whose checksum is wrong", () => {
  const archive = writeTar([file("a")], { time });
  archive[0] = 0x62;
  assert.throws(() => readTar(archive), /checksum is wrong/);
});
