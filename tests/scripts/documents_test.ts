import assert from "node:assert/strict";
import { join } from "node:path";
import { EXPOSURE } from "../../lib/init/systemd.ts";

const checkout = new URL("../../", import.meta.url).pathname;

const DOCUMENTS = [
  "README.md",
  "SECURITY.md",
  "docs/access.md",
  "docs/clients.md",
  "docs/install.md",
];
for (const document of DOCUMENTS) {
  Deno.test(`${document} names only tests and scripts that there are`, async () => {
    const text = await Deno.readTextFile(join(checkout, document));
    for (const [, path] of text.matchAll(/`?((?:tests|scripts|lib)\/[\w/.-]*\w)/g)) {
      await assert.doesNotReject(Deno.stat(join(checkout, path)), `${document}: ${path}`);
    }
  });
}

Deno.test("docs/install.md names only options of install.sh that there are, and the measured exposures", async () => {
  const text = await Deno.readTextFile(join(checkout, "docs/install.md"));
  const script = await Deno.readTextFile(join(checkout, "scripts/install.sh"));
  for (const [, options] of text.matchAll(/install\.sh((?: --[a-z]+(?: [a-z]+)?)+)/g)) {
    for (const [option] of options.split(" -- ")[0].matchAll(/--[a-z]+/g)) {
      assert.match(script, new RegExp(`^#   ${option} `, "m"), option);
    }
  }
  for (const exposure of Object.values(EXPOSURE)) assert.ok(text.includes(`| ${exposure} |`));
});

Deno.test("every promise in SECURITY.md names a test that shows it", async () => {
  const text = await Deno.readTextFile(join(checkout, "SECURITY.md"));
  const [, promises] = /\n## What is promised\n([^]*?)\n## /.exec(text) ?? [];
  const rows = promises.split("\n").filter((line) => line.startsWith("| **"));
  assert.ok(rows.length >= 10);
  for (const row of rows) assert.match(row, /\| `tests\/[^|]*_test\.ts` \|$/, row);
});
