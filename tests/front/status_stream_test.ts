/** The status page's stream: what is sent, when, to whom, and how it ends. */
import { deepEqual, equal, match, notEqual, ok, rejects } from "node:assert/strict";
import { createLasting } from "../../lib/front/lasting.ts";
import { createFeeds } from "../../lib/front/status/feeds.ts";
import { streamOf } from "../../lib/front/status/stream.ts";
import type { Overview } from "../../lib/overview.ts";
import { backend, openStatusRig, overview, server } from "./overview.ts";
import { bearer, statusOf } from "./raw.ts";
import { digestOf, FULL_TOKEN, READ_TOKEN, until } from "./rig.ts";

const headers = bearer(FULL_TOKEN);

/** Reads a stream event by event. */
function eventsOf(body: ReadableStream<Uint8Array>) {
  const reader = body.pipeThrough(new TextDecoderStream() as never).getReader();
  let text = "";
  return {
    /** Undefined: it has ended. */
    async next(): Promise<string | undefined> {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end >= 0) {
          const event = text.slice(0, end);
          text = text.slice(end + 2);
          return event;
        }
        const { done, value } = await reader.read();
        if (done) return undefined;
        text += value;
      }
    },
    cancel: () => reader.cancel(),
  };
}

const partsOf = (event: string | undefined) => {
  const [, revision, data] = /^id: (.*)\ndata: (.*)$/s.exec(event ?? "")!;
  return { revision, parts: JSON.parse(data) as [id: string, html: string][] };
};

const withConnections = (connections: number, name = "pool_1") =>
  overview({
    backends: {
      list: [backend({ name, servers: [server({ connections }), server({ name: "pool_1_2" })] })],
      count: 1,
      page: 1,
      pages: 1,
    },
  });

/** A feed whose looks a test makes by hand. */
async function openFeed(first: Overview) {
  let current = first;
  const feeds = createFeeds(() => Promise.resolve(current), { every: 1e9, fresh: 0 });
  const feed = feeds.of({ search: "", page: 1 });
  const { revision } = await feed.read();
  return {
    feed,
    revision,
    async become(next: Overview) {
      current = next;
      return (await feed.read()).revision;
    },
    [Symbol.dispose]: feeds.close,
  };
}

Deno.test("the stream sends the parts that are new, and nothing where nothing is", async () => {
  using site = await openFeed(withConnections(3));
  const stream = eventsOf(streamOf(site.feed, site.revision));
  match(await stream.next() ?? "", /^retry: \d+$/);
  equal(await site.become(withConnections(3)), site.revision);
  const revision = await site.become(withConnections(4));
  notEqual(revision, site.revision);
  const sent = partsOf(await stream.next());
  equal(sent.revision, revision);
  deepEqual(sent.parts.map(([id]) => id), ["h-pool_1", "s-pool_1/pool_1_1"]);
  match(sent.parts[1][1], /<tr id="s-pool_1\/pool_1_1">[^]*<td class="figure">4<\/td>/);
  await stream.cancel();
});

Deno.test("another server, or another backend, is sent with what stands around it", async () => {
  using site = await openFeed(withConnections(3));
  const stream = eventsOf(streamOf(site.feed, site.revision));
  await stream.next();
  const one = backend({ servers: [server({ connections: 3 })] });
  await site.become(overview({ backends: { list: [one], count: 1, page: 1, pages: 1 } }));
  deepEqual(partsOf(await stream.next()).parts.map(([id]) => id), ["b-pool_1"]);
  await site.become(withConnections(3, "pool_2"));
  deepEqual(partsOf(await stream.next()).parts.map(([id]) => id), ["list"]);
  await stream.cancel();
});

Deno.test("whoever has another revision is sent the whole page", async () => {
  using site = await openFeed(withConnections(3));
  const stream = eventsOf(streamOf(site.feed, "of before the restart"));
  await stream.next();
  const { parts, revision } = partsOf(await stream.next());
  equal(revision, site.revision);
  deepEqual(parts.map(([id]) => id), [
    "summary",
    "tiles",
    "troubles",
    "traffic",
    "list",
    "certificates",
    "sync",
    "changes",
  ]);
  await stream.cancel();
});

Deno.test("a reader that is slow gets one event for all that it missed, as it is then", async () => {
  using site = await openFeed(withConnections(0));
  const body = streamOf(site.feed, site.revision);
  for (let connections = 1; connections <= 100; connections++) {
    await site.become(withConnections(connections));
  }
  const stream = eventsOf(body);
  await stream.next();
  const { parts } = partsOf(await stream.next());
  deepEqual(parts.map(([id]) => id), ["h-pool_1", "s-pool_1/pool_1_1"]);
  match(parts[1][1], /<td class="figure">100<\/td>/);
  await site.become(withConnections(5));
  match(partsOf(await stream.next()).parts[1][1], /<td class="figure">5<\/td>/);
  await stream.cancel();
});

Deno.test("a tools room that fails leaves what was seen, and says that it is old", async () => {
  let fails = false;
  const feeds = createFeeds(
    () => fails ? Promise.reject(new Error("no")) : Promise.resolve(withConnections(3)),
    { every: 1e9, fresh: 0 },
  );
  const feed = feeds.of({ search: "", page: 1 });
  const { revision } = await feed.read();
  const stream = eventsOf(streamOf(feed, revision));
  await stream.next();
  fails = true;
  await feed.read();
  const { parts } = partsOf(await stream.next());
  deepEqual(parts.map(([id]) => id), ["summary"]);
  match(parts[0][1], /tools room does not answer/);
  await stream.cancel();
  feeds.close();
});

Deno.test("who comes while the tools room does not answer is told so each time, until it does", async () => {
  let fails = true;
  const feeds = createFeeds(
    () => fails ? Promise.reject(new Error("no")) : Promise.resolve(overview()),
    { every: 1e9, fresh: 1e9 },
  );
  const feed = feeds.of({ search: "", page: 1 });
  for (let i = 0; i < 2; i++) await rejects(feed.read(), /no/);
  fails = false;
  ok((await feed.read()).revision);
  feeds.close();
});

Deno.test("many who look at once, or a moment later, cost one look and one rendering", async () => {
  let looks = 0;
  const feeds = createFeeds(() => (looks++, Promise.resolve(overview())), {
    every: 1e9,
    fresh: 1e9,
  });
  const read = () => feeds.of({ search: "", page: 1 }).read();
  const first = await Promise.all(Array.from({ length: 20 }, read));
  const later = await read();
  ok(first.every((snapshot) => snapshot === later));
  equal(looks, 1);
});

Deno.test("lists that nobody watches make room for others; those that are watched stay", () => {
  const feeds = createFeeds(() => Promise.resolve(overview()), { every: 1e9, fresh: 0 });
  const hold = (search: string, principal: string) => feeds.hold({ search, page: 1 }, principal);
  for (let i = 0; i < 500; i++) ok(feeds.of({ search: `idle ${i}`, page: 1 }));
  const held: { release(): void }[] = [];
  for (let i = 0; i < 500; i++) {
    const one = hold(`watched ${i}`, `viewer ${i}`);
    if (!one) break;
    equal(feeds.of({ search: `watched ${i}`, page: 1 }), one.feed);
    held.push(one);
  }
  ok(held.length < 100);
  equal(hold("one more", "somebody"), undefined);
  // Twice is once: another one's place stays.
  for (let i = 0; i < 2; i++) held[0].release();
  ok(hold("one more", "somebody"));
  equal(hold("and one more", "somebody"), undefined);
  feeds.close();
});

Deno.test("who watches lists without end leaves room for the others, and may watch those that are there", () => {
  const feeds = createFeeds(() => Promise.resolve(overview()), { every: 1e9, fresh: 0 });
  const hold = (search: string, principal: string) => feeds.hold({ search, page: 1 }, principal);
  for (let i = 0; i < 500; i++) hold(`list ${i}`, "without end");
  equal(hold("one more", "without end"), undefined);
  ok(hold("list 0", "without end"));
  ok(hold("", "without end"));
  ok(hold("one more", "somebody"));
  feeds.close();
});

Deno.test("createLasting: close ends every stream", () => {
  const lasting = createLasting(2);
  const principal = { access: "read", who: "x", address: "::1", key: "k" } as const;
  const streams = [1, 2].map(() => lasting.open(principal, new AbortController().signal)!);
  lasting.close();
  ok(streams.every(({ signal }) => signal.aborted));
});

const events = (page: string, token = FULL_TOKEN, signal?: AbortSignal) =>
  fetch(`${page}status/events`, { headers: bearer(token), signal });

Deno.test("/status/events needs a token, and is counted among the streams", async () => {
  await using rig = await openStatusRig();
  equal(await statusOf(fetch(`${rig.page}status/events`)), 401);
  const answer = await events(rig.page);
  equal(answer.headers.get("content-type"), "text/event-stream");
  const stream = eventsOf(answer.body!);
  await stream.next();
  match(await stream.next() ?? "", /"summary"/);
  equal(await rig.gauge("streams"), 1);
  await stream.cancel();
  await until(async () => await rig.gauge("streams") === 0, "the stream is no longer counted");
});

Deno.test("/status/events: a browser that comes back is sent what it has missed, which may be nothing", async () => {
  let connections = 3;
  await using rig = await openStatusRig(() => withConnections(connections));
  const comeBack = async (revision: string) => {
    const answer = await fetch(`${rig.page}status/events?since=old`, {
      headers: { ...headers, "Last-Event-ID": revision },
    });
    const stream = eventsOf(answer.body!);
    await stream.next();
    return stream;
  };
  const first = await comeBack("none");
  const { revision } = partsOf(await first.next());
  await first.cancel();
  const again = await comeBack(revision);
  connections = 4;
  deepEqual(partsOf(await again.next()).parts.map(([id]) => id), [
    "h-pool_1",
    "s-pool_1/pool_1_1",
  ]);
  await again.cancel();
});

Deno.test("/status/events: HEAD opens no stream", async () => {
  await using rig = await openStatusRig();
  const answer = await fetch(`${rig.page}status/events`, { method: "HEAD", headers });
  deepEqual([answer.status, await answer.text()], [200, ""]);
  equal(await rig.gauge("streams"), 0);
});

Deno.test("/status/events: beyond MCP_MAX_SESSIONS streams, MCP's included, it is 503", async () => {
  await using rig = await openStatusRig(undefined, { env: { MCP_MAX_SESSIONS: "2" } });
  const leaving = new AbortController();
  const open = await Promise.all([1, 2].map(() => events(rig.page, FULL_TOKEN, leaving.signal)));
  deepEqual(open.map(({ status }) => status), [200, 200]);
  const refused = await events(rig.page);
  deepEqual([refused.status, refused.headers.get("retry-after")], [503, "10"]);
  await refused.body?.cancel();
  equal(await statusOf(fetch(rig.page, { headers })), 200);
  leaving.abort();
  await until(async () => {
    const again = new AbortController();
    const { status } = await events(rig.page, FULL_TOKEN, again.signal);
    again.abort();
    return status === 200;
  }, "those who have left make room");
});

Deno.test("/: whatever others watch, the page is shown, and its first list is live", async () => {
  await using rig = await openStatusRig();
  const leaving = new AbortController();
  const { signal } = leaving;
  const watch = (query: string, token: string) =>
    fetch(`${rig.page}status/events?${query}`, { headers: bearer(token), signal });
  const statuses = await Promise.all(
    [FULL_TOKEN, READ_TOKEN].flatMap((token) =>
      Array.from(
        { length: 40 },
        async (_, i) => (await watch(`q=${token.slice(0, 8)}${i}`, token)).status,
      )
    ),
  );
  ok(statuses.filter((status) => status === 200).length <= 32);
  equal(statuses.at(-1), 503);
  for (const path of ["", "?q=one-more", "?page=2"]) {
    const answer = await fetch(rig.page + path, { headers });
    equal(answer.status, 200);
    match(await answer.text(), /id="list"/);
  }
  equal((await watch("q=one-more", FULL_TOKEN)).status, 503);
  equal((await watch("", FULL_TOKEN)).status, 200);
  leaving.abort();
});

Deno.test("/status/events ends with its token, and other tokens' streams go on", async () => {
  await using rig = await openStatusRig();
  const [mine, others] = await Promise.all(
    [FULL_TOKEN, READ_TOKEN].map(async (token) => eventsOf((await events(rig.page, token)).body!)),
  );
  for (const stream of [mine, others]) for (let i = 0; i < 2; i++) await stream.next();
  await rig.front.call("setTokens", { full: [], read: [await digestOf(READ_TOKEN)] });
  equal(await mine.next(), undefined);
  await until(async () => {
    const answer = await fetch(`${rig.page}metrics`, { headers: bearer(READ_TOKEN) });
    return /^haproxy_mcp_streams 1$/m.test(await answer.text());
  }, "one stream is left");
  await others.cancel();
});

Deno.test("/status/events ends when the server stops", async () => {
  let stream: ReturnType<typeof eventsOf>;
  {
    await using rig = await openStatusRig();
    stream = eventsOf((await events(rig.page)).body!);
    await stream.next();
    await stream.next();
  }
  equal(await stream.next().catch(() => undefined), undefined);
});
