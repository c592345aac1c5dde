import assert from "node:assert/strict";
import { startHaproxy } from "../support/haproxy.ts";
import { withoutNoreuseport } from "../support/edit_config.ts";
import { startRival } from "../support/rival.ts";
import { openMoreTools, type ToolRig } from "../support/tools.ts";

/** Of twelve connections all may reach the same one, once in 2^11 times: then the call goes through, and is made again. */
async function refused(rig: ToolRig, ...call: Parameters<ToolRig["refused"]>) {
  return await rig.refused(...call).catch(() => rig.refused(...call));
}

Deno.test("beside a second HAProxy on the port changes are CONFLICT, with or without a running agent, and reads go on", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3, edit: withoutNoreuseport });
  {
    await using rig = await openMoreTools(haproxy);
    await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  }
  await using rival = await startRival(haproxy);
  for (const heal of [true, false]) {
    await using rig = await openMoreTools(haproxy, { heal });
    for (
      const [name, args] of [
        ["set_server_weight", { domain: "a.test", slot: 1, weight: 9 }],
        ["delete_cert", { domain: "a.test" }],
        ["save_state", {}],
      ] as const
    ) {
      const { code, message } = await refused(rig, name, args);
      assert.equal(code, "CONFLICT", `${name}: ${message}`);
      assert.match(message, /2 HAProxys share 127/);
    }
    assert.equal((await rig.call("list_domains")).structured.count, 1);
  }
  // One that hangs does not count as none.
  Deno.kill(rival.pid, "SIGSTOP");
  {
    await using rig = await openMoreTools(haproxy, { heal: false });
    const { code } = await rig.refused("set_server_weight", {
      domain: "a.test",
      slot: 1,
      weight: 9,
    });
    assert.equal(code, "HAPROXY_UNREACHABLE");
  }
  await rival.stop();
  await using rig = await openMoreTools(haproxy, { heal: false });
  await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 9 });
});
