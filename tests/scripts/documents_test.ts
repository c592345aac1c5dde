import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { CHECKS } from "../../lib/doctor/checks.ts";
import { ERROR_CODES } from "../../lib/errors.ts";
import { EXPOSURE } from "../../lib/init/systemd.ts";
import { EXIT } from "../../lib/supervisor/exit_code.ts";

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

Deno.test("docs/troubleshooting.md has a section for each error code, each check and each exit code, and for no others", async () => {
  const text = await Deno.readTextFile(join(checkout, "docs/troubleshooting.md"));
  const [, byCode] = /\n## By error code\n([^]*?)\n## /.exec(text) ?? [];
  const sections = byCode.split(/^### /m).slice(1).map((section) => section.split("\n"));
  assert.deepEqual(sections.map(([code]) => code), [...ERROR_CODES]);
  for (const [code, ...lines] of sections) assert.ok(lines.join(" ").trim().length > 80, code);
  const [, table] = /<!-- checks: .*? -->([^]*?)<!-- \/checks -->/.exec(text) ?? [];
  const rows = Array.from(table.matchAll(/^\| [a-z]+ \| ([a-z-]+) \|/gm), ([, name]) => name);
  assert.deepEqual(rows.filter((name) => name !== "check"), CHECKS.map(({ name }) => name));
  const [, exits] = /\n## Exit codes\n([^]*)$/.exec(text) ?? [];
  const codes = Array.from(exits.matchAll(/^\| (\d+) \|/gm), ([, code]) => Number(code));
  assert.deepEqual(codes, Object.values(EXIT));
});

/** As their anchors are spelled. */
const headings = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading.toLowerCase().replace(/[^\w\s-]/g, "").trim().replaceAll(/\s/g, "-")
  );
