/** /readyz and /metrics, and the id that each request has. */
import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import type { Measured } from "../../lib/measured.ts";
import { bearer, INITIALIZE, post, rawStatus, statusOf } from "./raw.ts";
import { openFixtureTools } from "./fixtures.ts";
import { FULL_TOKEN, openRig, READ_TOKEN } from "./rig.ts";

const MEASURED: Measured = {
  haproxy: { up: true, ok: 12, failed: 3, seconds: 1.5 },
  sync: { domains: 0, servers: 0, certificates: 0, problems: 0 },
  domains: 7,
  servers: 4,
  certificates: [
    { domain: 'a"b.test', days: 12, failures: 0 },
    { domain: "broken.test", days: null, failures: 2 },
  ],
};

async function openMeasured(measure: () => Measured | Promise<never>, env = {}) {
  const tools = openFixtureTools("first", { measure });
  tools.serve();
  return await openRig({ tools, env });
}

const readyz = (rig: { readonly url: string }) => rig.url.replace("/mcp", "/readyz");

Deno.test("/readyz: ready where HAProxy answers and disk agrees; open to all, with no detail", async () => {
  await using rig = await openMeasured(() => MEASURED);
  const answer = await fetch(readyz(rig));
  deepEqual([answer.status, await answer.text()], [200, "ready"]);
  equal(await rawStatus(rig.port, ["GET /readyz HTTP/1.1", "Host: anything.example"]), 200);
});

for (
  const [what, measure] of [
    ["HAProxy is down", () => ({ ...MEASURED, haproxy: { ...MEASURED.haproxy, up: false } })],
    ["it can't be known", () => ({ ...MEASURED, sync: undefined })],
    ["disk and HAProxy differ", () => ({
      ...MEASURED,
      sync: { domains: 1, servers: 0, certificates: 0, problems: 0 },
    })],
    ["something can't be brought in line", () => ({
      ...MEASURED,
      sync: { domains: 0, servers: 0, certificates: 0, problems: 1 },
    })],
    ["the tools room fails", () => Promise.reject(new Error("no"))],
  ] as const
) {
  Deno.test(`/readyz: 503 where ${what}`, async () => {
    await using rig = await openMeasured(measure);
    const answer = await fetch(readyz(rig));
    deepEqual([answer.status, await answer.text()], [503, "not ready"]);
  });
}

Deno.test("/readyz and /metrics share one look a second: strangers can't keep HAProxy busy", async () => {
  let looks = 0;
  await using rig = await openMeasured(() => (looks++, MEASURED));
  await Promise.all(Array.from({ length: 20 }, () => statusOf(fetch(readyz(rig)))));
  await statusOf(fetch(rig.url.replace("/mcp", "/metrics"), { headers: bearer(READ_TOKEN) }));
  equal(looks, 1);
});

Deno.test("/metrics: tools, HAProxy, certificates, sync and sessions, for whoever has a token", async () => {
  await using rig = await openMeasured(() => MEASURED);
  const client = await rig.client("2025");
  await client.callTool({ name: "read", arguments: {} });
  await client.callTool({ name: "refuse" });
  const url = rig.url.replace("/mcp", "/metrics");
  equal(await statusOf(fetch(url)), 401);
  const answer = await fetch(url, { headers: bearer(READ_TOKEN) });
  match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  const text = await answer.text();
  const value = (line: string) =>
    text.split("\n").find((each) => each.startsWith(`${line} `))?.slice(line.length + 1);
  deepEqual(
    [
      'tool_calls_total{tool="read",code="OK"}',
      'tool_calls_total{tool="refuse",code="CAPACITY"}',
      'tool_duration_seconds_count{tool="read"}',
      "sessions",
      "haproxy_up",
      'haproxy_conversations_total{result="ok"}',
      'haproxy_conversations_total{result="failed"}',
      "haproxy_conversation_seconds_total",
      'sync_differences{kind="domains"}',
      "domains",
      "servers",
      'certificate_days_left{domain="a\\"b.test"}',
      'certificate_days_left{domain="broken.test"}',
      'certificate_renewal_failures{domain="broken.test"}',
      'http_responses_total{route="/metrics",status="401"}',
    ].map((line) => value(`haproxy_mcp_${line}`)),
    ["1", "1", "1", "1", "1", "12", "3", "1.5", "0", "7", "4", "12", undefined, "2", "1"],
  );
  ok(!text.includes(FULL_TOKEN) && !text.includes(READ_TOKEN));
});

Deno.test("/metrics: what is gone is no longer counted; a scrape without the tools room still answers", async () => {
  let measured: Measured | Promise<never> = MEASURED;
  await using rig = await openMeasured(() => measured as Measured);
  const scrape = async () =>
    await (await fetch(rig.url.replace("/mcp", "/metrics"), { headers: bearer(READ_TOKEN) }))
      .text();
  match(await scrape(), /broken\.test/);
  measured = { ...MEASURED, certificates: [] };
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  ok(!(await scrape()).includes("broken.test"));
  measured = Promise.reject(new Error("no"));
  measured.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  const text = await scrape();
  match(text, /^haproxy_mcp_haproxy_up 0$/m);
  ok(!/^haproxy_mcp_(domains|servers) /m.test(text));
  match(text, /^haproxy_mcp_sessions 0$/m);
});

Deno.test("each request has an id, in its answer's header and in its error", async () => {
  await using rig = await openRig();
  const refused = await post(rig.url, INITIALIZE);
  const id = refused.headers.get("x-request-id");
  match(id ?? "", /^[0-9a-f]{12}$/);
  equal((await refused.json()).error.data.request_id, id);
  const answered = await post(rig.url, INITIALIZE, bearer(FULL_TOKEN));
  notEqual(answered.headers.get("x-request-id"), id);
  await answered.body?.cancel();
  const nothing = await fetch(rig.url.replace("/mcp", "/x"), { headers: bearer(FULL_TOKEN) });
  equal(nothing.status, 404);
  await nothing.body?.cancel();
});
