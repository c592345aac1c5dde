/** Sessions: how many, how long, and how they end. */
import { deepEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import { createSessions } from "../../lib/front/sessions.ts";
import { pause } from "./fixtures.ts";
import { bearer, INITIALIZE, openSession, post, statusOf } from "./raw.ts";
import { FULL_TOKEN, openRig, until } from "./rig.ts";

const initialize = (url: string) => openSession(url, FULL_TOKEN);

function statusIn(url: string, id: string, method = "POST"): Promise<number> {
  const headers = { ...bearer(FULL_TOKEN), "Mcp-Session-Id": id };
  const ping = { jsonrpc: "2.0", id: 2, method: "ping" };
  return statusOf(method === "POST" ? post(url, ping, headers) : fetch(url, { method, headers }));
}

/** The GET stream of a session, open until aborted. */
async function openStream(url: string, session: string): Promise<AbortController> {
  const controller = new AbortController();
  const headers = {
    ...bearer(FULL_TOKEN),
    Accept: "text/event-stream",
    "Mcp-Session-Id": session,
  };
  const answer = await fetch(url, { headers, signal: controller.signal });
  equal(answer.status, 200);
  return controller;
}

Deno.test("session: DELETE ends it, and then its id is unknown", async () => {
  await using rig = await openRig();
  const id = await initialize(rig.url);
  notEqual(id, await initialize(rig.url));
  equal(await statusIn(rig.url, id), 200);
  equal(await statusIn(rig.url, id, "DELETE"), 200);
  equal(await statusIn(rig.url, id), 404);
  equal(await statusIn(rig.url, id, "DELETE"), 404);
  equal(await statusIn(rig.url, crypto.randomUUID()), 404);
});

Deno.test("session: a request that is no initialize and names no session is 400", async () => {
  await using rig = await openRig();
  const message = { jsonrpc: "2.0", id: 2, method: "tools/list" };
  equal(await statusOf(post(rig.url, message, bearer(FULL_TOKEN))), 400);
});

Deno.test("session: beyond the cap the one idle longest makes room, one with an open stream does not", async () => {
  await using rig = await openRig({ env: { MCP_MAX_SESSIONS: "2" } });
  const first = await initialize(rig.url);
  const second = await initialize(rig.url);
  const stream = await openStream(rig.url, first);
  const third = await initialize(rig.url);
  deepEqual(
    await Promise.all([first, second, third].map((id) => statusIn(rig.url, id))),
    [200, 404, 200],
  );
  stream.abort();
});

Deno.test("session: when none is idle a new one is refused with 503", async () => {
  await using rig = await openRig({ env: { MCP_MAX_SESSIONS: "1" } });
  const stream = await openStream(rig.url, await initialize(rig.url));
  equal(await initialize(rig.url), "");
  stream.abort();
  let id = "";
  for (let tries = 0; !id && tries < 100; tries++) id = await initialize(rig.url);
  ok(id, "the stream's end has made the session idle");
});

Deno.test("session: idle too long it ends, one with a call in flight does not", async () => {
  await using rig = await openRig({ settings: { sessionIdle: 0.2 } });
  const idle = await initialize(rig.url);
  const client = await rig.client("2025");
  const controller = new AbortController();
  const call = client.callTool({ name: "slow_read" }, { signal: controller.signal });
  const failed = call.catch(() => {});
  await pause(700);
  equal(await statusIn(rig.url, idle), 404);
  deepEqual(rig.tools.aborted, []);
  ok(await client.ping());
  controller.abort();
  await failed;
  await until(() => rig.tools.aborted.length === 1, "the call was aborted by its caller");
});

Deno.test("createSessions: use and the end of a hold count as use", () => {
  let now = 0;
  const ended: string[] = [];
  const sessions = createSessions<string>(
    { max: 3, idleMs: 100 },
    (session) => ended.push(session),
    () => now,
  );
  for (const id of ["a", "b", "c"]) ok(sessions.add(id, `session ${id}`));
  const release = sessions.hold("a");
  now = 60;
  equal(sessions.use("b"), "session b");
  now = 120;
  sessions.sweep();
  deepEqual(ended, ["session c"]);
  release();
  now = 200;
  sessions.sweep();
  deepEqual(ended, ["session c", "session b"]);
  sessions.remove("a");
  now = 1_000;
  sessions.sweep();
  equal(sessions.size, 0);
  equal(ended.length, 2);
});

Deno.test("2026: streams that last are limited, too, and one that ends makes room", async () => {
  await using rig = await openRig({ env: { MCP_MAX_SESSIONS: "2" } });
  const listen = async () => {
    const client = await rig.client("2026");
    return await client.listen({ resourceSubscriptions: ["haproxy://a"] });
  };
  const [first] = [await listen(), await listen()];
  await rejects(listen(), /All streams are in use/);
  await first.close();
  let again: unknown;
  for (let tries = 0; !again && tries < 100; tries++) again = await listen().catch(() => undefined);
  ok(again);
});

Deno.test("2025: an initialize that is refused leaves no session, and a large one is refused", async () => {
  await using rig = await openRig();
  for (let i = 0; i < 5; i++) {
    const headers = { ...bearer(FULL_TOKEN), Accept: "application/json" };
    equal(await statusOf(post(rig.url, INITIALIZE, headers)), 406);
  }
  const padding = "x".repeat(64 * 1024);
  const large = { ...INITIALIZE, params: { ...INITIALIZE.params, padding } };
  equal(await statusOf(post(rig.url, large, bearer(FULL_TOKEN))), 413);
  equal(await rig.gauge("sessions"), 0);
});

Deno.test("2026: a stream subscribes to a number of resources at most", async () => {
  await using rig = await openRig();
  const client = await rig.client("2026");
  const uris = Array.from({ length: 501 }, (_, i) => `haproxy://echo/${i}`);
  await rejects(client.listen({ resourceSubscriptions: uris }), /500 resources at most/);
  const listening = await client.listen({ resourceSubscriptions: uris.slice(1) });
  equal(await rig.gauge("streams"), 1);
  await listening.close();
});
