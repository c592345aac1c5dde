import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type CommandFate, openRelay } from "../support/evidence/faults/relay.ts";
import { openPki } from "../support/pki.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { openMoreTools, snapshot, toolsSettings } from "../support/tools.ts";

/** After the agent has asked HAProxy anew, and before it is content with the answer. */
const LATE_MS = 300;

async function behindRelay() {
  const haproxy = await startHaproxy({ pools: 2, slots: 3 });
  const relay = openRelay(haproxy.options.api);
  const { haproxy: shape } = toolsSettings(haproxy);
  const rig = await openMoreTools(haproxy, {
    haproxy: { ...shape, port: relay.port },
    heal: false,
  });
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  return {
    haproxy,
    relay,
    rig,
    /**
     * From the first of such commands on, what one conversation sends reaches HAProxy during the next one only. Resolves
     * when it has long been carried out.
     */
    async delaySending(first: RegExp) {
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      let held: Promise<void> | undefined;
      relay.set({
        conversation() {
          if (held) resolve();
          return "pass";
        },
        async command(_at, line): Promise<CommandFate> {
          if (!held && first.test(line)) await (held = asked.then(() => delay(LATE_MS)));
          return "pass";
        },
      });
      await asked;
      await delay(3 * LATE_MS);
    },
    async [Symbol.asyncDispose]() {
      await rig[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
      await haproxy[Symbol.asyncDispose]();
    },
  };
}

Deno.test("commands of a refused change that HAProxy carries out late are taken back", async () => {
  await using set = await behindRelay();
  const { haproxy, rig } = set;
  const before = await snapshot(haproxy);
  const late = set.delaySending(/^set server /);
  const { code } = await rig.refused("add_server", { domain: "a.test", ip: "10.0.0.2", weight: 7 });
  assert.equal(code, "HAPROXY_UNREACHABLE");
  await late;
  assert.deepEqual(await snapshot(haproxy), before);
});

Deno.test("a certificate's commands that HAProxy carries out late are taken back", async () => {
  await using set = await behindRelay();
  await using pki = await openPki();
  const { haproxy, rig } = set;
  const { pem } = await pki.issue(["a.test"]);
  await Deno.writeTextFile(`${haproxy.root}/certs/a.test.pem`, pem, { mode: 0o600 });
  const loaded = await haproxy.runtime("show ssl cert");
  const late = set.delaySending(/^new ssl cert /);
  const { code } = await rig.refused("load_cert", { domain: "a.test" });
  assert.equal(code, "HAPROXY_UNREACHABLE");
  await late;
  assert.equal(await haproxy.runtime("show ssl cert"), loaded);
});

Deno.test("a state_file restored while HAProxy falls silent is OUTCOME_UNKNOWN once the files have it", async () => {
  await using set = await behindRelay();
  const { relay, rig } = set;
  await rig.call("save_state");
  await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 9 });
  relay.set({ command: (_at, line) => line === "show ssl cert" ? "cut" : "pass" });
  const error = await rig.refused("restore_state", { source: "state_file" });
  assert.equal(error.code, "OUTCOME_UNKNOWN");
  assert.match(error.message, /^The servers are restored and kept; /);
  assert.doesNotMatch(await rig.file("conf/servers.json"), /"weight":9/);
});
