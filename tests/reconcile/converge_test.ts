import assert from "node:assert/strict";
import type { AgentError } from "../../lib/errors.ts";
import { converge } from "../../lib/reconcile/converge.ts";
import { scopeReader } from "../../lib/reconcile/running.ts";
import { type Conversation, runtimeClient } from "../../lib/runtime/connection.ts";
import type { Command } from "../../lib/runtime/encode.ts";
import { desiredState } from "../../lib/state/model.ts";
import { HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";

const SHAPE = { poolCount: 1, maxSlots: 1 };
const SERVER = { ip: "10.0.0.1", httpPort: 80, weight: 1, state: "ready" } as const;

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: what a reload's old worker refuses is no refusal of HAProxy's: try again`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const { map, api } = haproxy.options;
    const runtime = runtimeClient({ host: api.address, port: api.port });
    const scope = { keys: new Set<string>(), pools: new Set(["pool_1"]) };
    const desired = desiredState([], [["pool_1", new Map([[1, SERVER]])]]);
    const readScope = scopeReader({ mapFile: map, shape: SHAPE });
    const bring = (between = () => Promise.resolve()) =>
      runtime.converse(async (talk) => {
        const view = await readScope(talk, scope);
        await between();
        return await converge(talk, desired, scope, view, { shape: SHAPE, keepGoing: false });
      }, { deadlineMs: 15_000 });

    const { code, hint } = await bring(haproxy.reload).then(
      () => assert.fail("the old worker took it"),
      (cause: AgentError) => cause,
    );
    assert.equal(code, "HAPROXY_UNREACHABLE");
    assert.match(hint!, /try again/);
    assert.deepEqual((await bring()).changed, [{ kind: "server", name: "pool_1_1" }]);
  });
}

Deno.test("an address that HAProxy takes late, as on a machine short of time, is waited for", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const { map, api } = haproxy.options;
  const runtime = runtimeClient({ host: api.address, port: api.port });
  const scope = { keys: new Set<string>(), pools: new Set(["pool_1"]) };
  const desired = desiredState([], [["pool_1", new Map([[1, SERVER]])]]);
  const readScope = scopeReader({ mapFile: map, shape: SHAPE });
  /** Until then an address is answered, and not sent. */
  const end = performance.now() + 60;
  const late = (talk: Conversation): Conversation => ({
    async exchange(commands) {
      const isHeld = ({ line }: Command) => / addr /.test(line) && performance.now() < end;
      const held = commands.map(isHeld);
      const replies = await talk.exchange(commands.filter((_, i) => !held[i]));
      return held.map((is) => is ? { ok: true, text: "" } : replies.shift()!);
    },
  });
  const { changed } = await runtime.converse(async (talk) => {
    const view = await readScope(talk, scope);
    return await converge(late(talk), desired, scope, view, { shape: SHAPE, keepGoing: false });
  }, { deadlineMs: 15_000 });
  assert.deepEqual(changed, [{ kind: "server", name: "pool_1_1" }]);
  assert.match(await haproxy.runtime("show servers state pool_1"), / 10\.0\.0\.1 /);
});
