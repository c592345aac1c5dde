/**
 * Fuzz: whatever arguments a tool gets, it does what it says or refuses with a code, and disk and HAProxy are the same
 * afterwards.
 */
import assert from "node:assert/strict";
import { AgentError } from "../../lib/errors.ts";
import { tools } from "../../tools/mod.ts";
import { argumentsOf } from "../support/evidence/arguments.ts";
import { fuzz, refusedBy } from "../support/evidence/fuzz.ts";
import { openEvidenceSite } from "../support/evidence/site.ts";
import { openMoreTools } from "../support/tools.ts";

/** These set off something slow: they are only asked what they would do, and their refusals are the same. */
const SLOW = new Set([
  "haproxy_reload",
  "haproxy_issue_cert",
  "haproxy_renew_cert",
  "haproxy_renew_all_certs",
  "haproxy_check_config",
  "haproxy_health",
  "haproxy_wait_drain",
]);
const INPUTS = { quick: 400, slow: 60 };

Deno.test("whatever its arguments, each tool answers or refuses with a code, and disk and HAProxy agree", async (t) => {
  await using haproxy = await openEvidenceSite();
  await using rig = await openMoreTools(haproxy);
  const pid = await haproxy.workerPid();
  for (const { definition: { name, inputSchema } } of tools) {
    await t.step(name, async () => {
      const slow = SLOW.has(name);
      const inputs = slow ? INPUTS.slow : INPUTS.quick;
      await fuzz(
        { name: `arguments of ${name}`, inputs },
        argumentsOf(inputSchema),
        async (given = {}) => {
          const args = slow ? tamed(given, inputSchema) : given;
          try {
            const { structured } = await rig.call(name.replace("haproxy_", ""), args);
            assert.equal(typeof structured, "object");
          } catch (cause) {
            refusedBy(cause, AgentError);
            const { code, message, stack } = cause as AgentError;
            assert.notEqual(code, "INTERNAL", stack);
            assert.ok(message.length < 5_000, `${message.length} characters`);
          }
        },
      );
      const { changed } = await rig.context.transactions.reconcile();
      assert.deepEqual(changed, []);
    });
  }
  assert.equal(await haproxy.workerPid(), pid);
});

/** The same arguments, without the effect, and without the wait. */
function tamed(args: unknown, { properties = {} }: { readonly properties?: object }): unknown {
  if (args !== null && (typeof args !== "object" || Array.isArray(args))) return args;
  // To a tool null is no arguments.
  const given = (args ?? {}) as Record<string, unknown>;
  const real = given.dry_run === undefined || given.dry_run === false;
  return {
    ...given,
    ...typeof given.timeout === "number" && { timeout: Math.min(given.timeout, 1) },
    ..."timeout" in properties && given.timeout === undefined && { timeout: 1 },
    ..."dry_run" in properties && real && { dry_run: true },
  };
}
