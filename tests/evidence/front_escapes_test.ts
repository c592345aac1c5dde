/** What strangers send to the port of `serve` to get in, or to get more than is theirs: each refused, and the agent serves on. */
import assert from "node:assert/strict";
import { type Serve, startServe } from "../support/agent.ts";
import { FULL, randomFrom, record, seedFor } from "../support/evidence/record.ts";
import {
  type Attempts,
  forged,
  injection,
  misplaced,
  oversize,
  rebinding,
  smuggling,
} from "../support/evidence/front_attempts.ts";
import { bearer, HOST, post } from "../support/evidence/front_requests.ts";
import { say } from "../support/evidence/say.ts";
import { startHaproxy } from "../support/haproxy.ts";

const GUESSES = FULL ? 20_000 : 2_000;

async function tryAll(attempts: Attempts): Promise<void> {
  const results = await Promise.all(
    Object.entries(attempts).map(async ([name, attempt]) => [name, await attempt()] as const),
  );
  const escaped = results.filter(([, denied]) => !denied).map(([name]) => name);
  record("Escapes", "through the front", {
    tried: results.length,
    denied: results.length - escaped.length,
    escaped: escaped.length,
  });
  assert.deepEqual(escaped, []);
}

/** The true token passes all the while. */
async function servedDuring<T>(agent: Serve, work: Promise<T>): Promise<T> {
  let over = false;
  const end = work.finally(() => over = true);
  const serving = (async () => {
    const caller = await agent.connect();
    do assert.ok((await caller.call("list_domains")).structured); while (!over);
  })();
  const [result] = await Promise.all([end, serving]);
  return result;
}

Deno.test("through the front: nobody gets in, gets more than is his, or keeps others from being served", async (t) => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 2 });
  const env = { MCP_RATE: "0", MCP_TRUSTED_NETWORKS: "100.64.0.0/10" };
  await using agent = await startServe(haproxy, { env });
  const { port, token } = agent;
  const kinds = { smuggling, injection, oversize, forged, misplaced };
  for (const [name, kind] of Object.entries(kinds)) {
    await t.step(name, () => servedDuring(agent, tryAll(kind(port, token))));
  }

  await t.step("the same requests pass where they are right", async () => {
    const { statuses } = await say(port, post([HOST, bearer(token)]), { answers: 1 });
    assert.deepEqual(statuses, [200]);
  });

  await t.step(
    `${GUESSES} guessed tokens: none is taken, and the true one is never locked out`,
    async () => {
      const random = randomFrom(seedFor("guessed tokens"));
      const guess = () =>
        Array.from(token, (_, i) => random() < 0.1 ? token[i] : random().toString(36)[2] ?? "a")
          .join("");
      let left = GUESSES;
      let escaped = 0;
      const guessing = Promise.all(Array.from({ length: 20 }, async () => {
        while (left-- > 0) {
          const { statuses } = await say(port, post([HOST, bearer(guess())]), { answers: 1 });
          if (statuses[0] !== 401 && statuses[0] !== 429) escaped += 1;
        }
      }));
      await servedDuring(agent, guessing);
      record("Escapes", "through the front", {
        tried: GUESSES,
        denied: GUESSES - escaped,
        escaped,
      });
      assert.equal(escaped, 0);
    },
  );

  const caller = await agent.connect();
  assert.equal((await caller.call("list_domains")).structured.count, 0, "nothing was smuggled in");
  assert.doesNotMatch(agent.log(), /INTERNAL|is lost/);
});

Deno.test("through the front: a page in a browser of a trusted network does not get in", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const env = { MCP_RATE: "0", MCP_TRUSTED_NETWORKS: "127.0.0.0/8" };
  await using agent = await startServe(haproxy, { env });
  const { statuses } = await say(agent.port, post([HOST]), { answers: 1 });
  assert.deepEqual(statuses, [200], "without a browser it does");
  await tryAll(rebinding(agent.port));
});
