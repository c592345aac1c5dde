/** SSE answers are held back until their end is known, but never a notification. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { coalesce, watchEnd } from "../../lib/front/coalesce.ts";
import { pause } from "./fixtures.ts";

/** Nobody leaves. */
const NEVER = new AbortController().signal;

const RESULT = 'event: message\ndata: {"jsonrpc":"2.0","id":1,"result":{"method":"none"}}\n\n';
const PROGRESS =
  'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n';

function sse() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const response = new Response(readable, {
    status: 201,
    headers: { "Content-Type": "text/event-stream", "X-Kept": "yes" },
  });
  return {
    response,
    write: (text: string) => void writer.write(new TextEncoder().encode(text)).catch(() => {}),
    close: () => void writer.close().catch(() => {}),
    cancelled: writer.closed.then(() => false, () => true),
  };
}

/** "held" while the answer does not come within `ms`. */
const within = <T>(ms: number, answer: Promise<T>) =>
  Promise.race([answer, pause(ms).then(() => "held" as const)]);

async function chunksOf(response: Response): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of response.body!) chunks.push(new TextDecoder().decode(chunk));
  return chunks;
}

Deno.test("coalesce: a lone result is one chunk, sent when its end is known", async () => {
  let ends = 0;
  const stream = sse();
  const answer = coalesce(stream.response, 5_000, NEVER, () => ends++);
  stream.write(RESULT.slice(0, 20));
  stream.write(RESULT.slice(20));
  equal(await within(30, answer), "held");
  equal(ends, 0);
  stream.close();
  const response = await answer;
  equal(ends, 1);
  deepEqual([response.status, response.headers.get("x-kept")], [201, "yes"]);
  deepEqual(await chunksOf(response), [RESULT]);
});

Deno.test("coalesce: a notification streams at once, and so does all after it", async () => {
  let ends = 0;
  const stream = sse();
  const answer = coalesce(stream.response, 5_000, NEVER, () => ends++);
  stream.write(PROGRESS);
  const response = await within(1_000, answer);
  ok(response !== "held");
  const reader = response.body!.getReader();
  equal(new TextDecoder().decode((await reader.read()).value), PROGRESS);
  const next = reader.read();
  stream.write(PROGRESS);
  equal(new TextDecoder().decode((await next).value), PROGRESS);
  stream.write(RESULT);
  stream.close();
  equal(new TextDecoder().decode((await reader.read()).value), RESULT);
  ok((await reader.read()).done);
  equal(ends, 1);
});

Deno.test("coalesce: what takes longer than the hold is streamed", async () => {
  const stream = sse();
  const response = await within(1_000, coalesce(stream.response, 20, NEVER, () => {}));
  ok(response !== "held");
  stream.write(RESULT);
  stream.close();
  deepEqual(await chunksOf(response), [RESULT]);
});

Deno.test("coalesce: a reader that goes ends the source, once", async () => {
  let ends = 0;
  const stream = sse();
  const response = await coalesce(stream.response, 10, NEVER, () => ends++);
  await response.body!.cancel();
  ok(await stream.cancelled);
  equal(ends, 1);
});

Deno.test("coalesce and watchEnd leave alone what is no event stream", async () => {
  let ends = 0;
  const json = Response.json({});
  equal(await coalesce(json, 10, NEVER, () => ends++), json);
  equal(watchEnd(json, NEVER, () => ends++), json);
  const accepted = new Response(null, { status: 202 });
  equal(await coalesce(accepted, 10, NEVER, () => ends++), accepted);
  equal(ends, 3);
});

Deno.test("watchEnd: reports the end of a stream once, whoever ends it", async () => {
  for (const end of ["source", "reader"]) {
    let ends = 0;
    const stream = sse();
    const response = watchEnd(stream.response, NEVER, () => ends++);
    stream.write(PROGRESS);
    const reader = response.body!.getReader();
    await reader.read();
    equal(ends, 0);
    if (end === "source") stream.close();
    else await reader.cancel();
    ok((await reader.read()).done);
    equal(ends, 1, end);
  }
});

Deno.test("watchEnd: whoever makes the answer is told that its reader has left", async () => {
  let ends = 0;
  const stream = sse();
  const gone = new AbortController();
  const response = watchEnd(stream.response, gone.signal, () => ends++);
  gone.abort();
  equal(await stream.cancelled, true);
  equal(ends, 1);
  await response.body?.cancel();
  equal(ends, 1);
});

Deno.test("watchEnd: a reader that takes nothing is cut off, one that takes it slowly is not", async () => {
  let ends = 0;
  const [stopped, slow] = [sse(), sse()];
  const unread = watchEnd(stopped.response, NEVER, () => ends++, 60);
  const reader = watchEnd(slow.response, NEVER, () => {}, 60).body!.getReader();
  for (let i = 0; i < 5; i++) {
    stopped.write(PROGRESS);
    slow.write(PROGRESS);
    await pause(20);
    equal(new TextDecoder().decode((await reader.read()).value), PROGRESS);
  }
  equal(await stopped.cancelled, true);
  equal(ends, 1);
  const error = await unread.body!.getReader().read().then(() => undefined, (cause) => cause);
  equal((error as Error).name, "TimeoutError");
  slow.close();
  await reader.read();
});
