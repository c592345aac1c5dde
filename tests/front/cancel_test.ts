/** How a call's HTTP answer ends when it is cancelled, and when the room is stopped. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { pause } from "./fixtures.ts";
import { bearer, openSession, post } from "./raw.ts";
import { FULL_TOKEN, openRig, until } from "./rig.ts";

/** What posts a message in a session of its own. */
async function initialize(url: string) {
  const id = await openSession(url, FULL_TOKEN);
  return (message: Record<string, unknown>) =>
    post(url, { jsonrpc: "2.0", ...message }, { ...bearer(FULL_TOKEN), "Mcp-Session-Id": id });
}

for (
  const [when, holdPassed] of [["while it is held", false], ["once it streams", true]] as const
) {
  Deno.test(`2025: notifications/cancelled ends the call's answer within a second, ${when}`, async () => {
    await using rig = await openRig();
    const ask = await initialize(rig.url);
    const answer = ask({ id: 7, method: "tools/call", params: { name: "slow_write" } });
    await until(() => rig.tools.begun.length === 1, "the call has begun");
    if (holdPassed) await answer;
    const started = performance.now();
    const params = { requestId: 7, reason: "no longer wanted" };
    const accepted = await ask({ method: "notifications/cancelled", params });
    equal(accepted.status, 202);
    equal(await (await answer).text(), "");
    ok(performance.now() - started < 1_000);
    await until(() => rig.tools.aborted.length === 1, "the tool was aborted");
  });
}

Deno.test("2025: a cancelled call of another session is left alone", async () => {
  await using rig = await openRig();
  const [ours, theirs] = [await initialize(rig.url), await initialize(rig.url)];
  const answer = ours({ id: 7, method: "tools/call", params: { name: "slow_write" } });
  await until(() => rig.tools.begun.length === 1, "the call has begun");
  const params = { requestId: 7 };
  equal((await theirs({ method: "notifications/cancelled", params })).status, 202);
  await pause(300);
  deepEqual(rig.tools.aborted, []);
  await (await answer).body?.cancel();
});

Deno.test("2025: a client does not come back for what it has cancelled, and no stream stays open", async () => {
  await using rig = await openRig();
  const client = await rig.client("2025");
  await until(async () => await rig.gauge("streams") === 1, "the session has its GET stream");
  for (let i = 1; i <= 3; i++) {
    const controller = new AbortController();
    const call = client.callTool({ name: "slow_write" }, { signal: controller.signal });
    await until(() => rig.tools.begun.length === i, "the call has begun");
    // Once it streams: a client resumes what has an event's id.
    await pause(300);
    controller.abort("enough");
    await rejects(call);
  }
  // When it would come back.
  await pause(1_300);
  equal(await rig.gauge("streams"), 1);
  ok((await client.callTool({ name: "read" })).content);
});

Deno.test("2026: closing the connection aborts the call within a second", async () => {
  await using rig = await openRig();
  const client = await rig.client("2026");
  const controller = new AbortController();
  const call = client.callTool({ name: "slow_write" }, { signal: controller.signal });
  await until(() => rig.tools.begun.length === 1, "the call has begun");
  const started = performance.now();
  controller.abort();
  await rejects(call);
  await until(() => rig.tools.aborted.length === 1, "the tool was aborted");
  ok(performance.now() - started < 1_000);
});

Deno.test("stop: what is in flight is answered, what comes later is refused", async () => {
  await using rig = await openRig();
  const clients = [await rig.client("2025"), await rig.client("2026")];
  const calls = clients.map((client) =>
    client.callTool({ name: "patient", arguments: { timeout: 1 } })
  );
  await pause(100);
  const started = performance.now();
  const stopped = rig.front.call("stop", { graceMs: 5_000 });
  for (const result of await Promise.all(calls)) {
    match(JSON.stringify(result.content), /echo/);
  }
  await stopped;
  ok(performance.now() - started < 3_000);
  await rejects(fetch(rig.url.replace("/mcp", "/healthz")));
});

Deno.test("stop: after the grace a call that goes on is aborted", async () => {
  await using rig = await openRig();
  const client = await rig.client("2025");
  const call = client.callTool({ name: "slow_write" }).catch(() => {});
  await until(() => rig.tools.begun.length === 1, "the call has begun");
  const started = performance.now();
  await rig.front.call("stop", { graceMs: 100 });
  ok(performance.now() - started < 2_000);
  await until(() => rig.tools.aborted.length === 1, "the tool was aborted");
  await client.close();
  await call;
});
