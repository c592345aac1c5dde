import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { type Import, readImports, wrongImports } from "../../scripts/check_layers.ts";

const value = (from: string, to: string): Import => ({ from, line: 1, to, typeOnly: false });
const type = (from: string, to: string): Import => ({ from, line: 1, to, typeOnly: true });

Deno.test("wrongImports lets a part import itself and what lies below it", () => {
  assert.deepEqual(
    wrongImports([
      value("lib/state/journal.ts", "lib/state/model.ts"),
      value("lib/state/journal.ts", "lib/errors.ts"),
      value("tools/domains.ts", "lib/transaction/mod.ts"),
      value("lib/cli/serve.ts", "lib/supervisor/mod.ts"),
      value("main.ts", "lib/cli/mod.ts"),
    ]),
    [],
  );
});

Deno.test("wrongImports names file, line and both parts when a lower part imports a higher one", () => {
  assert.deepEqual(
    wrongImports([{ ...type("lib/runtime/commands.ts", "lib/state/model.ts"), line: 7 }]),
    ["lib/runtime/commands.ts:7: lib/runtime may not import lib/state, which lies above it"],
  );
});

Deno.test("wrongImports lets the supervisor take types of the rooms, never their code", () => {
  for (const room of ["tools/room.ts", "lib/front/room.ts"]) {
    assert.deepEqual(wrongImports([type("lib/supervisor/tools.ts", room)]), []);
    assert.match(wrongImports([value("lib/supervisor/tools.ts", room)])[0], /`import type`$/);
  }
});

Deno.test("wrongImports keeps tools/ out of the rest of lib/, types too", () => {
  for (
    const from of ["lib/state/store.ts", "lib/front/room.ts", "lib/init/layout.ts", "lib/cli/x.ts"]
  ) {
    assert.equal(wrongImports([type(from, "tools/mod.ts")]).length, 1, from);
  }
});

Deno.test("wrongImports keeps everything that touches files or HAProxy out of the front room and init", () => {
  for (const part of ["sandbox", "runtime", "state", "reconcile", "transaction"]) {
    for (const from of ["lib/front/http.ts", "lib/init/config.ts"]) {
      assert.equal(wrongImports([type(from, `lib/${part}/x.ts`)]).length, 1, `${from} ${part}`);
    }
  }
});

Deno.test("wrongImports asks for a place when a new part appears", () => {
  assert.match(
    wrongImports([value("lib/new/x.ts", "lib/errors.ts")])[0],
    /lib\/new\/x\.ts has no place/,
  );
});

/** Runs the script as CI does, over a checkout of these files. */
async function check(
  files: Readonly<Record<string, string>>,
): Promise<{ code: number; stderr: string }> {
  const root = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries({ "tools/mod.ts": "", ...files })) {
      await Deno.mkdir(dirname(join(root, path)), { recursive: true });
      await Deno.writeTextFile(join(root, path), text);
    }
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-config",
        "--no-prompt",
        "--allow-read",
        "--allow-write",
        "--allow-run",
        new URL("../../scripts/check_layers.ts", import.meta.url).pathname,
        root,
      ],
      stdin: "null",
    }).output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("check_layers.ts is content with arrows that point down", async () => {
  const { code, stderr } = await check({
    "main.ts": `import { state } from "./lib/state/mod.ts";\nconsole.log(state);\n`,
    "lib/state/mod.ts": `import { code } from "../errors.ts";\nexport const state = code;\n`,
    "lib/cli/mod.ts":
      `import about from "../../deno.json" with { type: "json" };\nconsole.log(about);\n`,
    "deno.json": "{}",
    "lib/errors.ts": "export const code = 1;\n",
  });
  assert.equal(stderr, "");
  assert.equal(code, 0);
});

Deno.test("check_layers.ts fails with file and line of each wrong arrow, whatever the import looks like", async () => {
  const { code, stderr } = await check({
    "main.ts": `import "./lib/state/mod.ts";\n`,
    "lib/state/mod.ts": "export const state = 1;\nexport type State = 1;\n",
    "lib/runtime/mod.ts": [
      `// import { state } from "../state/mod.ts";`,
      `import {`,
      `  state,`,
      `} from "../state/mod.ts";`,
      `export const later = () => import("../state/mod.ts");`,
      `console.log(state);`,
    ].join("\n"),
    "lib/sandbox/mod.ts": `\nexport type { State } from "../state/mod.ts";\n`,
  });
  assert.equal(code, 1);
  assert.deepEqual(stderr.trim().split("\n").sort(), [
    "lib/runtime/mod.ts:4: lib/runtime may not import lib/state, which lies above it",
    "lib/sandbox/mod.ts:2: lib/sandbox may not import lib/state, which lies above it",
  ]);
});

Deno.test("readImports finds the imports of this checkout", async () => {
  const imports = await readImports(new URL("../../", import.meta.url).pathname.replace(/\/$/, ""));
  assert.ok(
    imports.some(({ from, to }) => from === "lib/config.ts" && to === "lib/tool_definition.ts"),
  );
});
