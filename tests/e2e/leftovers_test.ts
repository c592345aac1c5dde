/** These tests leave nothing behind: tried on some of them, in a run of their own with a temporary folder of its own. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Whose command line or environment names the folder, by their command lines. */
const FIND = `
for process in /proc/[0-9]*; do
  [ "$process" = "/proc/$$" ] || ! cat "$process/cmdline" "$process/environ" | grep -qaF "$1" ||
    { tr '\\0' ' ' <"$process/cmdline"; echo; }
done 2>&-`;

async function processesOf(folder: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", FIND, "sh", folder] }).output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line.trim() !== "");
}

interface TestRun extends AsyncDisposable {
  readonly folder: string;
  readonly process: Deno.ChildProcess;
}

async function startTests(file: string, filter: string): Promise<TestRun> {
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  const kinds = ["read", "write", "net", "env", "run", "sys"].map((kind) => `--allow-${kind}`);
  const options = ["--frozen", "--no-check", "--no-prompt", "--quiet", ...kinds];
  const path = fileURLToPath(new URL(file, import.meta.url));
  const process = new Deno.Command(Deno.execPath(), {
    args: ["test", ...options, "--filter", filter, path],
    env: { TMPDIR: folder },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    folder,
    process,
    async [Symbol.asyncDispose]() {
      await process.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

for (
  const [file, filter] of [
    ["./main_job_test.ts", "/^3.2: /"],
    ["./disk_test.ts", "a full disk"],
  ] as const
) {
  Deno.test(`${file} leaves no process and no file`, async () => {
    await using run = await startTests(file, filter);
    assert.equal((await run.process.status).code, 0);
    assert.deepEqual(await processesOf(run.folder), []);
    assert.deepEqual([...Deno.readDirSync(run.folder)], []);
  });
}

Deno.test("a run that is killed leaves no process", async () => {
  await using run = await startTests("./process_test.ts", "SIGTERM during calls of a 2025 client");
  const serving = async () => {
    const lines = await processesOf(run.folder);
    return lines.some((line) => line.includes(" serve")) &&
      lines.some((line) => line.includes(" -W "));
  };
  for (const end = Date.now() + 20_000; !await serving(); await delay(50)) {
    assert.ok(Date.now() < end, "neither HAProxy nor serve was started");
  }
  run.process.kill("SIGKILL");
  await run.process.status;
  for (
    const end = Date.now() + 10_000;
    (await processesOf(run.folder)).length > 0;
    await delay(100)
  ) {
    assert.ok(Date.now() < end, (await processesOf(run.folder)).join("\n"));
  }
});
