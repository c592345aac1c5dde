/** Every command of every document works, on a machine that has never seen the project; or docs/untested.md says why not here. */
import assert from "node:assert/strict";
import { runOnFreshMachine } from "../support/fresh_machine.ts";
import { namespaceProblem } from "../support/namespace.ts";
import { blocksIn, type Document, isAsSaid, readDocuments, readUntested } from "./documents.ts";

const problem = await namespaceProblem();
if (problem !== undefined) {
  console.log(`haproxy-mcp: the documents' commands are not run: ${problem}`);
}

const documents = await readDocuments();
const untested = await readUntested();
const isRun = (command: string) => !untested.some((each) => each.command === command);
const END = "------ end of a block";

Deno.test("a block is its commands without comments, and what they print", () => {
  const text = "```sh\na \\\n  b   # why\n\n# only said\nc '#1' # d\n```\n\n```text\nout\n```\n";
  assert.deepEqual(blocksIn(text), [{ commands: ["a b", "c '#1'"], output: "out\n" }]);
  assert.ok(isAsSaid("a 12 (b)\n", "a … (b)"));
  assert.ok(!isAsSaid("a 12 (c)\n", "a … (b)"));
});

Deno.test("what is said to be untested stands in a document, with a reason", () => {
  const all = new Set(
    documents.flatMap(({ blocks }) => blocks.flatMap(({ commands }) => commands)),
  );
  assert.ok(untested.length > 0);
  assert.deepEqual(untested.filter(({ command }) => !all.has(command)), []);
  assert.deepEqual(untested.filter(({ why }) => why.trim().length < 10), []);
});

for (const document of documents) {
  const count = document.blocks.flatMap(({ commands }) => commands).filter(isRun).length;
  if (count === 0) continue;
  Deno.test({
    name: `${document.path}: its ${count} commands work as they stand there`,
    ignore: problem !== undefined,
    fn: () => assertWorks(document),
  });
}

async function assertWorks({ blocks, after }: Document) {
  const before = documents.find(({ path }) => path === after);
  if (after !== undefined) assert.ok(before, `${after} is no document`);
  const script = [...before?.blocks ?? [], ...blocks]
    .map(({ commands }) => [...commands.filter(isRun), `echo; echo "${END}"`].join("\n"));
  const { code, stdout, stderr } = await runOnFreshMachine(script.join("\n"));
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  const printed = stdout.split(END).slice(before?.blocks.length ?? 0);
  for (const [i, { commands, output }] of blocks.entries()) {
    if (output === undefined) continue;
    assert.ok(isAsSaid(printed[i], output), `${commands.join("\n")}\nprints\n${printed[i]}`);
  }
}
