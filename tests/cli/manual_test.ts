import assert from "node:assert/strict";
import { manPage } from "../../lib/cli/manual.ts";
import { commandLine } from "../../lib/cli/mod.ts";
import { commandsOf, shapeOf } from "../../lib/cli/shape.ts";
import { VARIABLES } from "../../lib/config.ts";
import { productRooms } from "../../lib/supervisor/room.ts";
import { tools } from "../../tools/mod.ts";

const program = commandLine(productRooms, () => {});
const commands = commandsOf(program);
const page = manPage({
  program: shapeOf(program),
  commands,
  tools: tools.map(({ definition }) => definition),
}, "1.2.3");
/** As it is read. */
const plain = page.replaceAll("\\-", "-");

Deno.test("the man page has every command with its options, every tool, and every setting", () => {
  assert.ok(commands.length >= 10);
  for (const { usage, options } of commands) {
    assert.ok(plain.includes(`\n.SS ${usage}\n`), usage);
    for (const { flags } of options) {
      assert.ok(flags === "-h, --help" || plain.includes(`\n.B ${flags}\n`), flags);
    }
  }
  for (const { definition: { name } } of tools) assert.ok(plain.includes(`\n.B ${name}\n`), name);
  for (const name of VARIABLES.filter((name) => !/_FILE$|^CF_API_URL$/.test(name))) {
    assert.ok(plain.includes(name), name);
  }
});

Deno.test("every command has an example in its help, and so in the man page", () => {
  for (const { name, example } of [...commands, shapeOf(program)]) {
    assert.notEqual(example, "", name);
  }
  for (const { example } of commands) assert.ok(plain.includes(`\n.B ${example}\n`), example);
});

Deno.test("no line of the man page is a request by chance, and all of it is ASCII", () => {
  for (const line of page.split("\n")) {
    if (line.startsWith(".")) assert.match(line, /^\.(TH|SH|SS|PP|TP|B|BR|br)\b/);
    assert.doesNotMatch(line, /^'/);
  }
  assert.match(page, /^[\n\x20-\x7e]*$/);
  assert.doesNotMatch(page, /\n\n/);
});

Deno.test("docs/haproxy-mcp.1 is what the executable of this version prints", async () => {
  const { default: project } = await import("../../deno.json", { with: { type: "json" } });
  const tell = { program: shapeOf(program), commands, tools: tools.map((tool) => tool.definition) };
  const file = new URL("../../docs/haproxy-mcp.1", import.meta.url);
  assert.equal(manPage(tell, project.version), await Deno.readTextFile(file));
});
