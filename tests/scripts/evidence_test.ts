import assert from "node:assert/strict";
import { join } from "node:path";
import { faults, tables } from "../../scripts/evidence.ts";
import type { EvidenceRecord } from "../support/evidence/record.ts";

const script = new URL("../../scripts/evidence.ts", import.meta.url).pathname;

const CRASH: readonly EvidenceRecord[] = [
  { table: "Crash points", row: "remove_domain", counts: { lost: 0, "agent killed": 2 } },
  { table: "Crash points", row: "add_domain", counts: { "agent killed": 3, half: 0, stopped: 4 } },
  { table: "Crash points", row: "remove_domain", counts: { lost: 0, "agent killed": 10 } },
];

Deno.test("tables adds up the same cell, sorts the rows, and has what must be 0 at the end", () => {
  assert.equal(
    tables(CRASH),
    [
      "### Crash points\n",
      "| | agent killed | stopped | lost | half |",
      "|---|--:|--:|--:|--:|",
      "| add_domain | 3 | 4 |  | 0 |",
      "| remove_domain | 12 |  | 0 |  |",
      "| **all** | 15 | 4 | 0 | 0 |",
      "",
    ].join("\n"),
  );
});

Deno.test("tables orders tables by name, and a single row has no sum below it", () => {
  const text = tables([
    { table: "B", row: "x", counts: { inputs: 1 } },
    { table: "A", row: "y", counts: { failed: 0, inputs: 2 } },
  ]);
  assert.equal(
    text,
    "### A\n\n| | inputs | failed |\n|---|--:|--:|\n| y | 2 | 0 |\n\n" +
      "### B\n\n| | inputs |\n|---|--:|\n| x | 1 |\n",
  );
});

Deno.test("faults names table, row and column of every count that had to be 0", () => {
  assert.deepEqual(faults(CRASH), []);
  for (const column of ["lost", "half", "escaped", "failed"]) {
    assert.deepEqual(faults([{ table: "T", row: "r", counts: { inputs: 9, [column]: 2 } }]), [
      `T, r: 2 ${column}, where 0 has to stand`,
    ]);
  }
});

/** Runs the script over these records; what it makes of `document` where that is given. */
async function evidence(records: readonly EvidenceRecord[], document?: string) {
  const folder = await Deno.makeTempDir();
  try {
    const [file, into] = [join(folder, "records"), join(folder, "document.md")];
    await Deno.writeTextFile(file, records.map((line) => `${JSON.stringify(line)}\n`).join(""));
    if (document !== undefined) await Deno.writeTextFile(into, document);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", "--no-prompt", "--allow-read", "--allow-write", script, file]
        .concat(document === undefined ? [] : ["--into", into]),
      stdin: "null",
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const written = document === undefined ? undefined : await Deno.readTextFile(into);
    return { code, stdout: text(stdout), stderr: text(stderr), written };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("evidence.ts prints the tables and ends with 0 when nothing is lost, half, escaped or failed", async () => {
  const { code, stdout, stderr } = await evidence(CRASH);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.equal(stdout, `${tables(CRASH)}\n`);
});

Deno.test("evidence.ts ends with 1 and a line for each count that had to be 0, the tables all the same", async () => {
  const lost: EvidenceRecord = { table: "Crash points", row: "add_domain", counts: { lost: 1 } };
  const { code, stdout, stderr } = await evidence([...CRASH, lost]);
  assert.equal(code, 1);
  assert.equal(stderr, "Crash points, add_domain: 1 lost, where 0 has to stand\n");
  assert.match(stdout, /^\| \*\*all\*\* \| 15 \| 4 \| 1 \| 0 \|$/m);
});

Deno.test("evidence.ts --into puts the tables between the marks and leaves the rest", async () => {
  const [begin, end] = ["<!-- evidence: written by scripts/soak.sh -->", "<!-- /evidence -->"];
  const { written } = await evidence(CRASH, `# Proof\n\n${begin}\nold\n${end}\n\nThe rest.\n`);
  assert.equal(written, `# Proof\n\n${begin}\n\n${tables(CRASH)}\n${end}\n\nThe rest.\n`);
  assert.match((await evidence(CRASH, "# no marks\n")).stderr, /document\.md lacks <!-- evidence/);
});

Deno.test("record writes lines that evidence.ts reads, and nothing where no file is named", async () => {
  const module = new URL("../support/evidence/record.ts", import.meta.url);
  // In a process of its own: the variable is one for all tests that run side by side.
  const run = async (inputs: number, env: Readonly<Record<string, string>>) => {
    const code = `import { record } from "${module}"; record("T", "r", { inputs: ${inputs} });`;
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", code],
      clearEnv: true,
      env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? "", ...env },
    }).output();
    assert.ok(success && stdout.length === 0);
  };
  const file = await Deno.makeTempFile();
  try {
    await run(1, {});
    for (const inputs of [2, 3]) await run(inputs, { HAPROXY_MCP_EVIDENCE: file });
    const lines = (await Deno.readTextFile(file)).trim().split("\n");
    assert.match(tables(lines.map((line) => JSON.parse(line))), /^\| r \| 5 \|$/m);
  } finally {
    await Deno.remove(file);
  }
});
