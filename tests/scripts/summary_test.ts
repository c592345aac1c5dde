import assert from "node:assert/strict";

/** Gives `summary STATUS` this output of deno test. */
async function summary(status: number, output: string): Promise<{ line: string; code: number }> {
  const script = new URL("../../scripts/lib/summary.sh", import.meta.url).pathname;
  const child = new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", `. "$1"; summary "$2"`, "bash", script, String(status)],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(output));
  await writer.close();
  const { code, stdout } = await child.output();
  return { line: new TextDecoder().decode(stdout), code };
}

Deno.test("summary repeats Deno's own count", async () => {
  const output =
    "running 1 test from ./a_test.ts\nok ... ok (1ms)\n\nok | 12 passed (3 steps) | 0 failed (4ms)\n";
  assert.deepEqual(await summary(0, output), { line: "12 passed, 0 failed\n", code: 0 });
});

Deno.test("summary counts failed and ignored tests, and fails", async () => {
  const output =
    "\nFAILED | 3 passed (1 step) | 3 failed (1 step) | 1 ignored | 2 filtered out (129ms)\n\n";
  assert.deepEqual(await summary(1, output), { line: "3 passed, 3 failed, 1 skipped\n", code: 1 });
});

Deno.test("summary takes the last line of that form, whatever a test printed before", async () => {
  const output = "ok | 99 passed | 0 failed (1ms)\nok | 2 passed | 0 failed (1ms)\n";
  assert.equal((await summary(0, output)).line, "2 passed, 0 failed\n");
});

Deno.test("summary counts a run that broke off as one failed", async () => {
  assert.deepEqual(await summary(1, "error: Type checking failed.\n"), {
    line: "0 passed, 1 failed\n",
    code: 1,
  });
  assert.deepEqual(await summary(134, "ok | 5 passed | 0 failed (1ms)\n"), {
    line: "5 passed, 1 failed\n",
    code: 1,
  });
});

Deno.test("summary fails when no test ran", async () => {
  const output = "ok | 0 passed | 0 failed | 7 filtered out (10ms)\n";
  assert.deepEqual(await summary(0, output), { line: "0 passed, 1 failed\n", code: 1 });
});
