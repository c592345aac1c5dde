import assert from "node:assert/strict";
import { dirname, join } from "node:path";

const checkout = new URL("../../", import.meta.url).pathname;

const documents = ["README.md", "SECURITY.md"].concat(
  (await Array.fromAsync(Deno.readDir(join(checkout, "docs"))))
    .map(({ name }) => `docs/${name}`).filter((name) => name.endsWith(".md")),
);

for (const document of documents) {
  Deno.test(`${document} leads to documents and headings that there are`, async () => {
    const text = await Deno.readTextFile(join(checkout, document));
    for (const [, target, anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
      const path = target === "" ? document : join(dirname(document), target);
      const there = await Deno.readTextFile(join(checkout, path)).catch(() => undefined);
      assert.ok(there !== undefined, `${document}: there is no ${path}`);
      if (anchor !== undefined) assert.ok(headings(there).includes(anchor), `${path}#${anchor}`);
    }
  });

  Deno.test(`${document} names only tests and scripts that there are`, async () => {
    const text = await Deno.readTextFile(join(checkout, document));
    for (const [, path] of text.matchAll(/`?((?:tests|scripts|lib)\/[\w/.*-]*[\w*])/g)) {
      if (path.includes("*")) continue;
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

/** As their anchors are spelled. */
const headings = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replace(/[^\w\s-]/g, "").trim().replaceAll(/\s/g, "-")
  );
