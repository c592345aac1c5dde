/** HAPROXY_RELOAD=podman with the rights that its drop-in gives, and no others. */
import assert from "node:assert/strict";
import { podmanDropIn } from "../../lib/init/systemd.ts";
import { startServe } from "../support/agent.ts";
import { podmanProblem, startPodmanHaproxy } from "../support/podman.ts";

const problem = await podmanProblem();

/** What runs a command with these capabilities at most, as the unit's bounding set does. */
function bounded(dropIn: string): readonly string[] {
  const capabilities = dropIn.match(/^CapabilityBoundingSet=.*$/gm)!
    .flatMap((line) => line.match(/CAP_\w+/g)!)
    .map((name) => `,+${name.slice(4).toLowerCase()}`);
  return ["setpriv", `--bounding-set=-all${capabilities.join("")}`, "--inh-caps=-all"];
}

for (
  const [what, dropIn, works] of [
    ["with the drop-in's capabilities", podmanDropIn({ root: "/opt/haproxy" }), true],
    ["without CAP_SYS_ADMIN", podmanDropIn({ root: "/" }).replaceAll(/CAP_SYS_ADMIN /g, ""), false],
  ] as const
) {
  Deno.test({
    name: `${what} the agent ${
      works ? "checks and reloads" : "can't reach"
    } a container of Podman's`,
    ignore: problem !== undefined,
    async fn() {
      await using haproxy = await startPodmanHaproxy({ version: "3.4", pools: 2, slots: 2 });
      await using agent = await startServe(haproxy, {
        wrapper: bounded(dropIn),
        env: {
          PATH: `${haproxy.bin}:/usr/bin:/bin`,
          HAPROXY_CONTAINER: haproxy.container,
          HAPROXY_RELOAD: "podman",
        },
      });
      const http = await agent.connect();
      if (!works) {
        assert.equal((await http.refused("reload", { confirm: true })).code, "UNSUPPORTED");
        return;
      }
      const { structured: check } = await http.call("check_config");
      assert.deepEqual([check.valid, check.checked_by], [true, "podman"]);
      const before = await haproxy.workerPid();
      const { structured } = await http.call("reload", { confirm: true });
      assert.equal(structured.way, "podman");
      assert.notEqual(await haproxy.workerPid(), before);
    },
  });
}
