/** Calls that come together share a journal write and a conversation, and each is answered as if it had come alone. */
import assert from "node:assert/strict";
import type { AgentErrorData } from "../../lib/errors.ts";
import { startBackend } from "../support/backend.ts";
import { faultProxy } from "../support/fault_proxy.ts";
import { HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import { startLoad } from "../support/load.ts";
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

/** Where the one goes first, some requests of a hundred swaps are lost. */
const SWAPS = 50;
/** How a server comes and goes. */
const WAYS: readonly (readonly [tool: string, comes: object, goes: object])[] = [
  ["set_server_state", { state: "ready" }, { state: "maint", force: true }],
  ["set_server_state", { state: "ready" }, { state: "drain", force: true }],
  ["set_server_weight", { weight: 1 }, { weight: 0 }],
];

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: a server that comes is there before another goes: two that take turns lose no request`, async () => {
    await using backend = startBackend("one");
    await using rig = await openTools({ version });
    const at = { ip: "127.0.0.1", http_port: backend.port };
    await rig.call("add_domain", { domain: "a.test", ...at });
    await rig.call("add_server", { domain: "a.test", slot: 2, ...at });
    const slot = (slot: number) => ({ domain: "a.test", slot });
    const loads = await Promise.all(
      Array.from(
        { length: 3 },
        () => startLoad(rig.haproxy, "h1 fresh", { host: "a.test", names: ["one"] }),
      ),
    );
    try {
      for (const [tool, comes, goes] of WAYS) {
        await rig.call(tool, { ...slot(2), ...goes });
        for (let turn = 0; turn < SWAPS; turn++) {
          const [one, other] = turn % 2 ? [slot(2), slot(1)] : [slot(1), slot(2)];
          assert.deepEqual(
            await together(rig, [tool, { ...one, ...goes }], [tool, { ...other, ...comes }]),
            ["done", "done"],
          );
          await Promise.all(loads.map((load) => load.more(2)));
        }
        await rig.call(tool, { ...slot(2), ...comes });
        await rig.call(tool, { ...slot(1), ...comes });
      }
    } finally {
      await Promise.all(loads.map((load) => load.stop()));
    }
    for (const { report } of loads) assert.deepEqual(report.failures, []);
  });
}
