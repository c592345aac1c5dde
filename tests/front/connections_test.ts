/** The listening socket: slow, idle and too many clients, and its end. */
import { equal, match, ok } from "node:assert/strict";
import { type ConnectionLimits, listen, type Listening } from "../../lib/front/connections.ts";
import { pause } from "./fixtures.ts";

const LIMITS: ConnectionLimits = { max: 100, headMs: 300, idleMs: 600 };

type Handle = Parameters<typeof listen>[1];

function open(handle: Handle, limits: Partial<ConnectionLimits> = {}) {
  const listening = listen({ hostname: "127.0.0.1", port: 0 }, handle, { ...LIMITS, ...limits });
  return Object.assign(listening, {
    async [Symbol.asyncDispose]() {
      void listening.drain();
      listening.close();
      await pause(5);
    },
  });
}

const hello: Handle = () => Promise.resolve(new Response("hello"));

/** A connection as a client has it: what came, and when it ended. */
async function dial({ port }: Listening) {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const start = performance.now();
  let text = "";
  const ended = (async () => {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const length = await connection.read(buffer).catch(() => null);
      if (length === null) return performance.now() - start;
      text += new TextDecoder().decode(buffer.subarray(0, length));
    }
  })();
  return {
    ended,
    text: () => text,
    send: (line: string) => connection.write(new TextEncoder().encode(line)),
    close() {
      try {
        connection.close();
      } catch {
        // Ended.
      }
    },
  };
}

const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

Deno.test("connections: one that sends nothing, or its head slowly, is closed after the limit", async () => {
  await using server = open(hello);
  const [silent, slow] = [await dial(server), await dial(server)];
  const drip = setInterval(() => void slow.send("X-A: b\r\n").catch(() => {}), 50);
  await slow.send("GET / HTTP/1.1\r\n");
  for (const ms of await Promise.all([silent.ended, slow.ended])) {
    ok(ms >= 290 && ms < 2_000, `${ms}`);
  }
  clearInterval(drip);
  silent.close();
  slow.close();
});

Deno.test("connections: an idle one is kept for the next request, for so long", async () => {
  await using server = open(hello);
  const client = await dial(server);
  await client.send(GET);
  await pause(400);
  await client.send(GET);
  const ms = await client.ended;
  ok(ms >= 950 && ms < 3_000, `${ms}`);
  equal(client.text().match(/hello/g)?.length, 2);
  client.close();
});

Deno.test("connections: a client that takes no answer is closed like an idle one", async () => {
  const large = new Uint8Array(16 * 1024 * 1024);
  await using server = open(() => Promise.resolve(new Response(large)));
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await connection.write(new TextEncoder().encode(GET));
  await pause(300);
  equal(server.open, 1);
  await pause(900);
  equal(server.open, 0);
});

Deno.test("connections: beyond the number the idlest makes room, and one at work never does", async () => {
  const answers = Promise.withResolvers<void>();
  await using server = open(async (request) => {
    if (request.url.endsWith("/slow")) await answers.promise;
    return new Response("hello");
  }, { max: 3, headMs: 5_000 });
  const busy = await dial(server);
  await busy.send(GET.replace("/", "/slow"));
  const [first, second] = [await dial(server), await dial(server)];
  await pause(50);
  const third = await dial(server);
  await third.send(GET);
  await first.ended;
  await pause(50);
  equal(server.open, 3);
  answers.resolve();
  await pause(50);
  match(busy.text(), /hello/);
  match(third.text(), /hello/);
  for (const each of [busy, first, second, third]) each.close();
});

Deno.test("connections: whoever makes an answer is told at once that its reader has gone", async () => {
  const begun = Promise.withResolvers<AbortSignal>();
  await using server = open((_request, { gone }) => {
    begun.resolve(gone);
    return new Promise(() => {});
  });
  const client = await dial(server);
  await client.send(GET);
  const gone = await begun.promise;
  equal(gone.aborted, false);
  const start = performance.now();
  client.close();
  await new Promise((resolve) => gone.addEventListener("abort", resolve));
  ok(performance.now() - start < 500);
});

Deno.test("connections: what is no HTTP is answered 400 or closed, and the others live on", async () => {
  await using server = open(hello);
  const stranger = await dial(server);
  await stranger.send("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n");
  await stranger.ended;
  stranger.close();
  equal(await (await fetch(`http://127.0.0.1:${server.port}/`)).text(), "hello");
});

Deno.test("drain: idle ones end at once, one at work after its answer, new ones are refused", async () => {
  const server = open(async () => {
    await pause(200);
    return new Response("hello");
  }, { headMs: 60_000 });
  const [idle, busy] = [await dial(server), await dial(server)];
  await busy.send(GET);
  await pause(20);
  const drained = server.drain();
  ok(await idle.ended < 1_000);
  await drained;
  match(busy.text(), /hello/);
  equal(server.open, 0);
  const refused = await Deno.connect({ hostname: "127.0.0.1", port: server.port }).then(
    () => false,
    () => true,
  );
  ok(refused);
  busy.close();
  idle.close();
});
