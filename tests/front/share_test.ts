/** Whoever asks without end leaves room for the others. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { createShare } from "../../lib/front/share.ts";
import { bearer, INITIALIZE, openSession, post, statusOf } from "./raw.ts";
import { FULL_TOKEN, openRig, READ_TOKEN, until } from "./rig.ts";

Deno.test("createShare: so many for each, and one that has ended makes room once", () => {
  const share = createShare(2);
  const first = share.take("a");
  ok(first && share.take("a"));
  equal(share.take("a"), undefined);
  ok(share.take("b"));
  first();
  first();
  ok(share.take("a"));
  equal(share.take("a"), undefined);
});

Deno.test("calls and streams of one token fill half of the connections at most: 503, and others are served", async () => {
  await using rig = await openRig({ maxConnections: 8 });
  const id = await openSession(rig.url, READ_TOKEN);
  const headers = { ...bearer(READ_TOKEN), "Mcp-Session-Id": id };
  const open = new AbortController();
  const call = (id: number) =>
    fetch(rig.url, {
      method: "POST",
      headers: {
        ...headers,
        Accept: "application/json, text/event-stream",
        "Content-Type": "application/json",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id,
        method: "tools/call",
        params: { name: "slow_read", arguments: {} },
      }),
      signal: open.signal,
    });
  const answers = await Promise.all([2, 3, 4, 5, 6].map(call));
  deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 200, 503]);
  equal(await statusOf(post(rig.url, INITIALIZE, bearer(FULL_TOKEN))), 200);
  equal(await statusOf(fetch(rig.url.replace("/mcp", "/healthz"))), 200);
  open.abort();
  await until(
    async () => await statusOf(post(rig.url, INITIALIZE, bearer(READ_TOKEN))) === 200,
    "those whose readers have left make room",
  );
});

Deno.test("2025: an id that is in use is refused, in one body or in two; answered, it can be used again", async () => {
  await using rig = await openRig();
  const id = await openSession(rig.url, FULL_TOKEN);
  const headers = { ...bearer(FULL_TOKEN), "Mcp-Session-Id": id };
  const call = (name: string, request: number | string) => ({
    jsonrpc: "2.0",
    id: request,
    method: "tools/call",
    params: { name, arguments: { timeout: 5 } },
  });
  // A machine that is busy for so long that the first one is answered meanwhile gets another try.
  await until(async () => {
    const begun = rig.tools.begun.length;
    const first = post(rig.url, call("patient", 7), headers);
    await until(() => rig.tools.begun.length > begun, "the first one has begun");
    const again = await post(rig.url, call("read", 7), headers);
    equal(await statusOf(post(rig.url, call("read", "7"), headers)), 200, "a string is another id");
    ok((await (await first).text()).includes("echo"));
    const { error } = await again.json().catch(() => ({ error: undefined }));
    return again.status === 400 && error.code === -32600 && /id 7 is in use/.test(error.message);
  }, "the id is refused");
  ok((await (await post(rig.url, call("read", 7), headers)).text()).includes("first read"));
  const twice = [call("read", 8), call("read", 8)];
  equal(await statusOf(post(rig.url, twice, headers)), 400);
  const batch = await post(rig.url, [call("read", 8), call("read", 9)], headers);
  equal((await batch.text()).match(/first read/g)?.length, 2);
  ok((await (await post(rig.url, call("read", 8), headers)).text()).includes("first read"));
});
