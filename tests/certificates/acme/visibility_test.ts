import assert from "node:assert/strict";
import type { ChallengeSeen } from "../../../lib/certificates/acme/acts.ts";
import { untilVisible } from "../../../lib/certificates/acme/visibility.ts";
import { AgentError } from "../../../lib/errors.ts";
import { captureLog } from "../../support/log.ts";

const values = ["one", "two"];
const domain = "example.test";

/** Answers one look after the other, the last one again and again. */
function looks(...answers: readonly (readonly ChallengeSeen[] | Error)[]) {
  let count = 0;
  return {
    count: () => count,
    lookUp: () => {
      const answer = answers[Math.min(count++, answers.length - 1)];
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
}
const never = new AbortController().signal;

Deno.test("untilVisible returns once every server that can be asked has all values", async () => {
  const { lookUp, count } = looks(
    [{ server: "a", values: ["one"] }, { server: "b", values }],
    [{ server: "a", values: ["other", ...values] }, { server: "b", values: [], problem: "silent" }],
  );
  await untilVisible({ domain, values, wait: 5, lookUp }, never);
  assert.equal(count(), 2);
});

Deno.test("untilVisible goes on with a warning when no server can be asked", async () => {
  for (
    const answer of [
      [{ server: "a", values: [], problem: "silent" }],
      new AgentError("ACME", "No server is found."),
    ]
  ) {
    using log = captureLog();
    const { lookUp, count } = looks(answer);
    await untilVisible({ domain, values, wait: 1, lookUp }, never);
    assert.ok(count() > 1);
    assert.equal(log.lines.length, 1);
    assert.match(log.lines[0], /^warning: No server of example\.test can be asked/);
  }
});

Deno.test("untilVisible names the servers and what they had", async () => {
  const { lookUp } = looks([
    { server: "a", values: ["one"] },
    { server: "b", values: [] },
    { server: "c", values: [], problem: "silent" },
  ]);
  await assert.rejects(untilVisible({ domain, values, wait: 1, lookUp }, never), {
    code: "ACME",
    message:
      "The TXT record _acme-challenge.example.test did not show the CA's values within 1 s: " +
      "a has one; b has none; c can't be asked (silent).",
  });
});

Deno.test("untilVisible does not look where it may not wait", async () => {
  const { lookUp, count } = looks([]);
  await untilVisible({ domain, values, wait: 0, lookUp }, never);
  assert.equal(count(), 0);
});

Deno.test("untilVisible ends with its signal", async () => {
  const controller = new AbortController();
  const { lookUp } = looks([{ server: "a", values: [] }]);
  const waiting = untilVisible({ domain, values, wait: 60, lookUp }, controller.signal);
  controller.abort(new DOMException("The caller cancelled.", "AbortError"));
  await assert.rejects(waiting, { name: "AbortError" });
});
