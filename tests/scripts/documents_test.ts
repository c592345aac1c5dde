import assert from "node:assert/strict";
import { join } from "node:path";

const checkout = new URL("../../", import.meta.url).pathname;

for (
  const document of [
    "README.md",
    "SECURITY.md",
    "docs/access.md",
    "docs/clients.md",
    "docs/shell.md",
  ]
) {
  Deno.test(`${document} names only tests and scripts that there are`, async () => {
    const text = await Deno.readTextFile(join(checkout, document));
    for (const [, path] of text.matchAll(/`?((?:tests|scripts|lib)\/[\w/.-]*\w)/g)) {
      await assert.doesNotReject(Deno.stat(join(checkout, path)), `${document}: ${path}`);
    }
  });
}

Deno.test("every promise in SECURITY.md names a test that shows it", async () => {
  const text = await Deno.readTextFile(join(checkout, "SECURITY.md"));
  const [, promises] = /\n## What is promised\n([^]*?)\n## /.exec(text) ?? [];
  const rows = promises.split("\n").filter((line) => line.startsWith("| **"));
  assert.ok(rows.length >= 10);
  for (const row of rows) assert.match(row, /\| `tests\/[^|]*_test\.ts` \|$/, row);
});
