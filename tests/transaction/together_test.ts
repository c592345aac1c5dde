/** Calls that come together share a journal write and a conversation, and each is answered as if it had come alone. */
import assert from "node:assert/strict";
import type { AgentErrorData } from "../../lib/errors.ts";
import { startBackend } from "../support/backend.ts";
import { faultProxy } from "../support/fault_proxy.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { openMoreTools, openTools, type ToolRig, toolsSettings } from "../support/tools.ts";

/** Sent in one moment; `done`, or the code of the refusal. */
function together(rig: ToolRig, ...calls: readonly (readonly [string, object])[]) {
  return Promise.all(
    calls.map(([name, args]) =>
      rig.call(name, args).then(() => "done", (error: AgentErrorData) => error.code)
    ),
  );
}

Deno.test("of two servers taken out of service at once the last healthy one stays", async () => {
  await using backend = startBackend("one");
  await using rig = await openTools();
  const at = { ip: "127.0.0.1", http_port: backend.port };
  await rig.call("add_domain", { domain: "a.test", ...at });
  await rig.call("add_server", { domain: "a.test", ...at });
  const slot = (slot: number) => ({ domain: "a.test", slot });
  const drained = await together(
    rig,
    ["set_server_state", { ...slot(1), state: "drain" }],
    ["set_server_state", { ...slot(2), state: "maint" }],
    ["add_domain", { domain: "b.test" }],
  );
  assert.deepEqual(drained, ["done", "REFUSED", "done"]);
  await rig.call("set_server_state", { ...slot(1), state: "ready" });
  const removed = await together(rig, ["remove_server", slot(2)], ["remove_server", slot(1)]);
  assert.deepEqual(removed, ["done", "REFUSED"]);
  // A server that comes in the same moment counts as well, whether it is before or behind.
  const replaced = await together(
    rig,
    ["add_server", { domain: "a.test", slot: 3, ...at }],
    ["remove_server", slot(1)],
  );
  assert.deepEqual(replaced, ["done", "done"]);
});

Deno.test("nobody is refused for the sake of a change that did not come about", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 2 });
  await using proxy = faultProxy(haproxy.options.api);
  const { haproxy: shape } = toolsSettings(haproxy);
  await using rig = await openMoreTools(haproxy, {
    haproxy: { ...shape, port: proxy.port },
    heal: false,
  });
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  proxy.decide = (line) => /add map \S+ b\.test /.test(line) ? "refuse" : "pass";
  const named = await together(
    rig,
    ["add_domain", { domain: "b.test" }],
    ["add_domain", { domain: "b.test" }],
    ["add_domain", { domain: "c.test" }],
  );
  // b.test would have had the last pool, and would have been there.
  assert.deepEqual(named, ["HAPROXY_REJECTED", "HAPROXY_REJECTED", "done"]);
  proxy.decide = (line) => line.startsWith("show map") ? "cut" : "pass";
  const silent = await together(
    rig,
    ["add_server", { domain: "a.test", ip: "10.0.0.2" }],
    ["add_server", { domain: "a.test", ip: "10.0.0.3" }],
  );
  assert.deepEqual(silent, ["HAPROXY_UNREACHABLE", "HAPROXY_UNREACHABLE"]);
});
