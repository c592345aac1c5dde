/** What becomes of calls when the tools room is lost, late or deaf. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { openFixtureTools, pause } from "./fixtures.ts";
import { openRig, until } from "./rig.ts";

const codeOf = (result: { _meta?: Record<string, unknown> }) =>
  (result._meta?.["haproxy-mcp/error"] as { code: string } | undefined)?.code;

Deno.test("attach: a begun write answers OUTCOME_UNKNOWN and is not sent again", async () => {
  await using rig = await openRig();
  const client = await rig.client("2025");
  const call = client.callTool({ name: "slow_write", arguments: {} });
  await until(() => rig.tools.begun.length === 1, "the write has begun");
  const next = openFixtureTools("second");
  next.serve();
  await rig.attach(next);
  const result = await call;
  equal(result.isError, true);
  equal(codeOf(result), "OUTCOME_UNKNOWN");
  match(JSON.stringify(result.content), /Read the current state/);
  deepEqual(next.begun, []);
});

Deno.test("attach: a read that had begun is sent again", async () => {
  await using rig = await openRig();
  const client = await rig.client("2026");
  const controller = new AbortController();
  const call = client.callTool({ name: "slow_read" }, { signal: controller.signal });
  await until(() => rig.tools.begun.length === 1, "the read has begun");
  const next = openFixtureTools("second");
  next.serve();
  await rig.attach(next);
  await until(() => next.begun.length === 1, "the read was sent to the second room");
  controller.abort();
  await call.catch(() => {});
  await until(() => next.aborted.length === 1, "the abort reached the second room");
});

Deno.test("attach: a write that had not begun is sent again, and waits until the next room reads", async () => {
  const first = openFixtureTools("first");
  await using rig = await openRig({ tools: first });
  const client = await rig.client("2025");
  const call = client.callTool({ name: "write", arguments: { n: 7 } });
  await pause(50);
  const next = openFixtureTools("second");
  await rig.attach(next);
  await pause(50);
  deepEqual([first.begun, next.begun], [[], []]);
  next.serve();
  const result = await call;
  ok(!result.isError);
  deepEqual([first.begun, next.begun], [[], ["write"]]);
});

Deno.test("attach: after two more rooms were lost a call is given up", async () => {
  const first = openFixtureTools("first");
  await using rig = await openRig({ tools: first });
  const client = await rig.client("2025");
  const call = client.callTool({ name: "write", arguments: {} });
  await pause(50);
  for (const name of ["second", "third", "fourth"]) await rig.attach(openFixtureTools(name));
  const result = await call;
  equal(codeOf(result), "INTERNAL");
  match(JSON.stringify(result.content), /lost 3 times.*Nothing was changed/);
});

Deno.test("attach: later calls go to the new room", async () => {
  await using rig = await openRig();
  const client = await rig.client("2025");
  const textOf = async () => {
    const { content } = await client.callTool({ name: "read", arguments: {} });
    return (content[0] as { text: string }).text;
  };
  equal(await textOf(), "first read");
  const next = openFixtureTools("second");
  next.serve();
  await rig.attach(next);
  equal(await textOf(), "second read");
});

Deno.test("a tool that ends by its deadline's abort answers TIMEOUT", async () => {
  await using rig = await openRig();
  const client = await rig.client("2025");
  const result = await client.callTool({ name: "late", arguments: {} });
  equal(codeOf(result), "TIMEOUT");
  match(JSON.stringify(result.content), /late took too long: 100 ms passed/);
  deepEqual(rig.tools.aborted, ["late"]);
  deepEqual(rig.deaf, []);
});

Deno.test("a tool that ignores its abort is answered and reported to main", async () => {
  await using rig = await openRig();
  const client = await rig.client("2025");
  const started = performance.now();
  const result = await client.callTool({ name: "deaf", arguments: {} });
  ok(performance.now() - started < 3_000);
  equal(codeOf(result), "TIMEOUT");
  await until(() => rig.deaf.length === 1, "main was told");
  deepEqual(rig.deaf, ["deaf"]);
});

Deno.test("a tool with a timeout of its own has that plus 5 s, others and odd values the usual", async () => {
  await using rig = await openRig();
  const client = await rig.client("2025");
  const call = (args: Record<string, unknown>) =>
    client.callTool({ name: "patient", arguments: args });
  ok(!(await call({ timeout: 1 })).isError);
  for (const timeout of ["1", -1, 0, null, Number.MAX_VALUE]) {
    equal(codeOf(await call({ timeout })), "TIMEOUT", String(timeout));
  }
});
