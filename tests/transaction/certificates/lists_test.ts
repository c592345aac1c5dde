import assert from "node:assert/strict";
import {
  domainOfFile,
  listCertificate,
  unlistCertificate,
} from "../../../lib/transaction/certificates/lists.ts";
import { parseCrtListFile } from "../../../lib/state/crt_list_file.ts";

const FIRST = "/certs/default.pem\n";
const PATH = "/certs/a.test.pem";

function listed(text: string) {
  const lines = parseCrtListFile(text, "crt-list.txt");
  return {
    list: { text, lines },
    mine: { path: PATH, mine: lines.filter(({ path }) => path === PATH) },
  };
}

/** What becomes of the crt-list's text. */
function after(
  text: string,
  names: readonly string[],
  options: { before?: readonly string[]; complete?: boolean } = {},
): string {
  const { list, mine } = listed(text);
  return listCertificate(list, mine, { names, complete: false, ...options }).text;
}

Deno.test("a certificate that no line names gets one, behind the others", () => {
  assert.equal(after(FIRST, ["a.test", "*.a.test"]), `${FIRST}${PATH} a.test *.a.test\n`);
  assert.equal(after(FIRST.trimEnd(), ["a.test"]), `${FIRST}${PATH} a.test\n`);
  assert.equal(after("", ["a.test"]), `${PATH} a.test\n`);
});

Deno.test("a line of ours follows the certificate's names; comments and other lines stay", () => {
  const text = `${FIRST}${PATH} a.test\n# mine\n/certs/b.pem b.test\n`;
  assert.equal(
    after(text, ["a.test", "*.a.test"], { before: ["a.test"] }),
    `${FIRST}# mine\n/certs/b.pem b.test\n${PATH} a.test *.a.test\n`,
  );
  assert.equal(after(text, ["a.test"], { before: ["a.test"] }), text);
});

Deno.test("the first line of all stays, as HAProxy keeps it: the names that it lacks get another one", () => {
  const text = `${PATH} a.test\n`;
  assert.equal(
    after(text, ["a.test", "*.a.test"], { before: ["a.test"] }),
    `${text}${PATH} *.a.test\n`,
  );
});

Deno.test("a line that a person wrote is completed only where that is wanted", () => {
  const text = `${FIRST}${PATH} [ssl-min-ver TLSv1.3] a.test\n`;
  assert.equal(after(text, ["a.test", "b.test"]), text);
  assert.equal(after(text, ["a.test", "b.test"], { complete: true }), `${text}${PATH} b.test\n`);
});

Deno.test("a line for all of the certificate's names, or one that excludes a name, needs no other", () => {
  for (const line of [PATH, `${PATH} *.a.test !b.a.test`]) {
    const text = `${FIRST}${line}\n`;
    assert.equal(after(text, ["*.a.test", "b.a.test"], { complete: true }), text);
  }
});

Deno.test("unlisting takes all of its lines out, and no others", () => {
  const { list, mine } = listed(
    `${FIRST}${PATH} a.test\n# a.test\n${PATH} *.a.test\n/certs/b.pem\n`,
  );
  const { text, lines, changes } = unlistCertificate(list, mine);
  assert.equal(text, `${FIRST}# a.test\n/certs/b.pem\n`);
  assert.deepEqual(lines, []);
  assert.deepEqual(changes, [`- ${PATH} a.test`, `- ${PATH} *.a.test`]);
});

Deno.test("a file's name is its domain's, but for one without a dot", () => {
  assert.equal(domainOfFile("/certs/a.test.pem"), "a.test");
  assert.equal(domainOfFile("/certs/default.pem"), undefined);
});
