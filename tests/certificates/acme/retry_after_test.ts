import assert from "node:assert/strict";
import { persist, retryAfterMs } from "../../../lib/certificates/acme/retry_after.ts";
import { AgentError } from "../../../lib/errors.ts";

const never = new AbortController().signal;

Deno.test("retryAfterMs reads seconds and dates", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  const read = (value?: string) =>
    retryAfterMs(new Headers(value === undefined ? {} : { "Retry-After": value }), now);
  assert.equal(read("0"), 0);
  assert.equal(read(" 120 "), 120_000);
  assert.equal(read("Thu, 01 Jan 2026 00:01:00 GMT"), 60_000);
  assert.equal(read("Wed, 31 Dec 2025 00:01:00 GMT"), 0);
  for (const value of [undefined, "", "soon", "-1"]) assert.equal(read(value), undefined);
});

const limited = (ms: number) =>
  new AgentError("ACME", "Slowly.", {
    details: { retry_after: new Date(Date.now() + ms).toISOString() },
  });

Deno.test("persist tries again after a wait of seconds, and not after a longer one", async () => {
  for (const [ms, expected] of [[20, 4], [60_000, 1]]) {
    let tries = 0;
    await assert.rejects(
      persist(never, () => {
        tries++;
        throw limited(ms);
      }),
      { message: "Slowly." },
    );
    assert.equal(tries, expected);
  }
});

Deno.test("persist tries nothing again that was refused for good", async () => {
  let tries = 0;
  const work = () => {
    tries++;
    throw new AgentError("ACME", "No.");
  };
  await assert.rejects(persist(never, work), { message: "No." });
  assert.equal(tries, 1);
});

Deno.test("persist ends with its signal", async () => {
  const controller = new AbortController();
  const waiting = persist(controller.signal, () => Promise.reject(limited(5_000)));
  controller.abort(new DOMException("The caller cancelled.", "AbortError"));
  await assert.rejects(waiting, { name: "AbortError" });
});
