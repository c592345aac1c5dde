/** The agent as a user of its own, HAProxy by root on 80 and 443 with workers that are another one: who may read what. */
import assert from "node:assert/strict";
import type { OwnUserReport } from "../support/evidence/own_user_process.ts";
import { FULL, record } from "../support/evidence/record.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { namespaceProblem, runInNamespace } from "../support/namespace.ts";

const problem = await namespaceProblem();
if (problem !== undefined) {
  console.log(`haproxy-mcp: an agent that is a user of its own is not tried: ${problem}`);
}

async function tryAllTools(...args: readonly string[]): Promise<OwnUserReport> {
  const module = new URL("../support/evidence/own_user_process.ts", import.meta.url);
  return JSON.parse(await runInNamespace(module, args));
}

for (const version of FULL ? HAPROXY_VERSIONS : ["3.2"]) {
  Deno.test({
    name:
      `${version}: every tool of an agent that is a plain user works beside a HAProxy of root's`,
    ignore: problem !== undefined,
    async fn() {
      const { calls, failed, afterReload, afterStart } = await tryAllTools(version);
      record("Agent as a user of its own", `HAProxy ${version}`, {
        calls,
        failed: failed.length,
        lost: afterReload.length + afterStart.length,
      });
      assert.deepEqual(failed, []);
      assert.deepEqual(afterReload, [], "after a reload");
      assert.deepEqual(afterStart, [], "after kill -9 and a start");
    },
  });
}

Deno.test({
  name:
    "a master socket that is root's alone: only the reload is refused, and says how to start HAProxy",
  ignore: problem !== undefined,
  async fn() {
    const { failed } = await tryAllTools("3.2", "mode,600");
    assert.equal(failed.length, 1, failed.join("\n"));
    assert.match(failed[0], /^Error: haproxy_reload refused: .*Permission denied.*/);
    assert.match(failed[0], /-S \/\S+\/run\/master\.sock,mode,600,user,NAME`, the user that runs/);
  },
});
