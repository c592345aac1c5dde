/** docs/shell.md as a reader follows it: each command of it, in its order, and what the drill says of itself. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { agentEnv, executable } from "../support/agent.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { runningMap, runningSlots } from "../support/tools.ts";

const DOCUMENT = new URL("../../docs/shell.md", import.meta.url);
/** Programs of the reader's: not on every machine, and none of ours. They take what they are sent. */
const STAND_INS = ["jq", "man"];

Deno.test("every command in docs/shell.md does what it says", async () => {
  const text = await Deno.readTextFile(DOCUMENT);
  const blocks = Array.from(text.matchAll(/^```sh\n([^]*?)^```$/gm), ([, block]) => block);
  assert.ok(blocks.length >= 8);
  await using haproxy = await startHaproxy({ pools: 3, slots: 3 });
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    await Deno.mkdir(join(folder, "bin"));
    await Deno.symlink(executable(), join(folder, "bin/haproxy-mcp"));
    for (const name of STAND_INS) {
      const stand = join(folder, "bin", name);
      await Deno.writeTextFile(stand, "#!/bin/sh\nexec cat >/dev/null\n", { mode: 0o755 });
    }
    const env = {
      ...agentEnv(haproxy),
      HOME: folder,
      PATH: `${folder}/bin:${Deno.env.get("PATH")}`,
    };
    for (const block of blocks) {
      const isDrill = block.includes("drill.tar");
      if (isDrill) {
        await run("haproxy-mcp call add_domain --domain a.test --ip 10.0.0.1", folder, env);
      }
      const before = [await runningMap(haproxy), await runningSlots(haproxy)];
      const { code, output } = await run(block, folder, env);
      assert.equal(code, 0, `${block}\n${output}`);
      if (!isDrill) continue;
      assert.match(output, /servers\.json, line 1.*\nexit 4: it names/);
      assert.match(output, /^sync +ok/m);
      assert.deepEqual([await runningMap(haproxy), await runningSlots(haproxy)], before);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

async function run(
  block: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number; readonly output: string }> {
  const { code, stdout } = await new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", `exec 2>&1\n${block}`],
    cwd,
    clearEnv: true,
    env,
    stdin: "null",
  }).output();
  return { code, output: new TextDecoder().decode(stdout) };
}
