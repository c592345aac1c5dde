/** Streams that break off: what a client missed it gets on its next connection, within limits. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { createEventStore } from "../../../lib/front/mcp/event_store.ts";
import { pause } from "../fixtures.ts";
import { bearer, openSession, post, statusOf } from "../raw.ts";
import { FULL_TOKEN, openRig, READ_TOKEN, until } from "../rig.ts";

const message = (n: number) => ({ jsonrpc: "2.0" as const, method: "n", params: { n } });

async function replayed(store: ReturnType<typeof createEventStore>, after: string) {
  const seen: unknown[] = [];
  await store.replayEventsAfter(after, {
    send: (_id, sent) =>
      Promise.resolve(void seen.push((sent as ReturnType<typeof message>).params.n)),
  });
  return seen;
}

Deno.test("createEventStore: what came later on the same stream is replayed, in order", async () => {
  const store = createEventStore();
  const ids: string[] = [];
  for (let n = 0; n < 6; n++) ids.push(await store.storeEvent(n % 2 ? "b" : "a_GET", message(n)));
  deepEqual(await replayed(store, ids[0]), [2, 4]);
  deepEqual(await replayed(store, ids[5]), []);
  equal(await store.getStreamIdForEventId!(ids[2]), "a_GET");
  for (const unknown of ["", "a_GET", "c_1", "a_GET_99", "a_GET_0", "a_GET_-1", "b_x"]) {
    equal(await store.getStreamIdForEventId!(unknown), undefined, unknown);
  }
});

Deno.test("createEventStore: number, size and age are limited, the oldest go first", async () => {
  let now = 0;
  const limits = { events: 5, characters: 1_000, ageMs: 1_000 };
  const store = createEventStore(limits, () => now);
  const first = await store.storeEvent("s", message(0));
  for (let n = 1; n < 10; n++) await store.storeEvent("s", message(n));
  deepEqual(await replayed(store, first), [5, 6, 7, 8, 9]);
  await store.storeEvent("s", { ...message(10), params: { n: 10, text: "x".repeat(900) } });
  deepEqual(await replayed(store, first), [10]);
  now = 2_000;
  await store.storeEvent("s", message(11));
  deepEqual(await replayed(store, first), [11]);
  await store.storeEvent("s", { ...message(12), params: { n: 12, text: "x".repeat(2_000) } });
  deepEqual(await replayed(store, first), [], "one too large is not kept");
});

Deno.test("createEventStore: notices of changes make room first, so that a call's result stays", async () => {
  const store = createEventStore({ events: 5, characters: 100_000, ageMs: 1_000 });
  const first = await store.storeEvent("call", message(0));
  for (let n = 1; n < 50; n++) await store.storeEvent("_GET_stream", message(n));
  await store.storeEvent("call", message(50));
  deepEqual(await replayed(store, first), [50]);
});

Deno.test("createEventStore: the stream of a cancelled call is closed, whichever call of whichever session it was", async () => {
  const store = createEventStore();
  const ids = await Promise.all([7, 8].map((request) =>
    store.within([request], async () => {
      await pause(request === 7 ? 10 : 5);
      return await store.storeEvent(`stream of ${request}`, message(request));
    })
  ));
  store.close(7);
  store.close("unknown");
  deepEqual(ids.map((id) => store.isClosed(id)), [true, false]);
  equal(store.isClosed("stream of 7_99"), false);
  equal(store.isClosed(""), false);
});

Deno.test("2025: a call whose stream broke off goes on, and its result comes by Last-Event-ID", async () => {
  await using rig = await openRig();
  const id = await openSession(rig.url, FULL_TOKEN);
  const headers = {
    ...bearer(FULL_TOKEN),
    "Mcp-Session-Id": id,
    "MCP-Protocol-Version": "2025-11-25",
  };
  const answer = await post(rig.url, {
    jsonrpc: "2.0",
    id: 7,
    method: "tools/call",
    params: { name: "patient", arguments: { timeout: 5 }, _meta: { progressToken: 1 } },
  }, headers);
  const reader = answer.body!.getReader();
  const primed = new TextDecoder().decode((await reader.read()).value);
  const eventId = /^id: (.+)$/m.exec(primed)?.[1] ?? "";
  match(primed, /^retry: \d+$/m);
  await reader.cancel();

  const resume = (token: string) =>
    fetch(rig.url, {
      headers: {
        ...headers,
        ...bearer(token),
        Accept: "text/event-stream",
        "Last-Event-ID": eventId,
      },
    });
  equal(await statusOf(resume(READ_TOKEN)), 404, "another's session is not there");
  const resumed = await resume(FULL_TOKEN);
  equal(resumed.status, 200);
  match(await resumed.text(), /echo/);
  deepEqual(rig.tools.aborted, []);
});

Deno.test("2025: notifications that nobody was there to read come with the next GET", async () => {
  await using rig = await openRig();
  const id = await openSession(rig.url, FULL_TOKEN);
  const headers = { ...bearer(FULL_TOKEN), "Mcp-Session-Id": id };
  await statusOf(post(rig.url, { jsonrpc: "2.0", method: "notifications/initialized" }, headers));
  const listen = async (lastEventId?: string) => {
    const controller = new AbortController();
    const answer = await fetch(rig.url, {
      headers: {
        ...headers,
        Accept: "text/event-stream",
        ...(lastEventId && { "Last-Event-ID": lastEventId }),
      },
      signal: controller.signal,
    });
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
    return { read: async () => (await reader.read()).value ?? "", end: () => controller.abort() };
  };
  const first = await listen();
  await rig.tools.publish(true);
  const eventId = /^id: (.+)$/m.exec(await first.read())?.[1];
  first.end();
  await until(() => true, "it is over");
  await rig.tools.publish(true);
  let again = "";
  for (let tries = 0; tries < 50 && !again.includes("list_changed"); tries++) {
    const stream = await listen(eventId).catch(() => undefined);
    again += await stream?.read() ?? "";
    stream?.end();
  }
  match(again, /list_changed/);
  ok(!again.includes(`id: ${eventId}\n`));
});
