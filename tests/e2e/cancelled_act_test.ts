/** A cancelled call reaches the program that main runs for it, and its HTTP answer ends within a second, in both eras. */
import assert from "node:assert/strict";
import { startServe } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { ERAS } from "../support/mcp_client.ts";

for (const era of ERAS) {
  Deno.test(`${era}: cancelling haproxy_check_config ends HAProxy's program`, async () => {
    const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
    try {
      // Stands in for a HAProxy whose parser takes its time.
      const program = `${folder}/haproxy`;
      const script = `#!/bin/sh\necho $$ >${folder}/pid\nexec sleep 30\n`;
      await Deno.writeTextFile(program, script, { mode: 0o755 });
      await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
      await using agent = await startServe(haproxy, { env: { HAPROXY_BINARY: program } });
      await using caller = await agent.connect(era);
      const controller = new AbortController();
      const call = caller.ask("check_config", {}, controller.signal).then(() => "answered", String);
      const pid = () => Deno.readTextFile(`${folder}/pid`).then((text) => text.trim(), () => "");
      await eventually(async () => await pid() !== "");
      const isRunning = async () => {
        const { code } = await new Deno.Command("kill", {
          args: ["-0", await pid()],
          stderr: "null",
        })
          .output();
        return code === 0;
      };
      assert.ok(await isRunning());
      const start = performance.now();
      controller.abort("enough");
      assert.match(await call, /enough|abort/i);
      await eventually(async () => !await isRunning());
      assert.ok(performance.now() - start < 1_000, "within the second that is promised");
      assert.equal((await caller.call("list_domains")).structured.count, 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
