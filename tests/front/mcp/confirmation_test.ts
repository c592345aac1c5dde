/** A person's word: asked for in both eras before the tools room does anything, and what follows each answer. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { type Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { newClient } from "../../support/mcp_client.ts";
import { bearer, openSession, post } from "../raw.ts";
import { ERAS, FULL_TOKEN, openRig } from "../rig.ts";

type Rig = Awaited<ReturnType<typeof openRig>>;
type Era = typeof ERAS[number];
type Reply = { action: "accept"; content: Record<string, boolean> } | {
  action: "decline" | "cancel";
};

/** A client whose person answers so; what they were asked, and what the tools room had done by then. */
async function asking(rig: Rig, era: Era, reply: Reply) {
  const questions: { message: string; begun: readonly string[] }[] = [];
  const client = newClient(era, { elicitation: { form: {} } });
  client.setRequestHandler("elicitation/create", ({ params }) => {
    questions.push({ message: params.message, begun: [...rig.tools.begun] });
    return reply;
  });
  await connect(client, rig);
  return { client, questions, [Symbol.asyncDispose]: () => client.close() };
}

const connect = (client: Client, { url }: Rig) =>
  client.connect(
    new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: bearer(FULL_TOKEN) },
    }),
  );

const codeOf = (result: { _meta?: Record<string, unknown> }) =>
  (result._meta?.["haproxy-mcp/error"] as { code: string } | undefined)?.code;

const remove = (client: Client, args: Record<string, unknown> = {}) =>
  client.callTool({ name: "remove", arguments: { name: "a", ...args } });

for (const era of ERAS) {
  Deno.test(`${era}: a person is asked first, with what would happen, and yes does it`, async () => {
    await using rig = await openRig();
    await using person = await asking(rig, era, { action: "accept", content: { confirm: true } });
    const result = await remove(person.client);
    ok(!result.isError);
    deepEqual(person.questions, [{
      message: "Title of remove? It would be: Removed a.",
      begun: ["remove a rehearsed"],
    }]);
    deepEqual(rig.tools.begun, ["remove a rehearsed", "remove a confirmed"]);
  });

  for (
    const [what, reply] of [
      ["decline", { action: "decline" }],
      ["cancel", { action: "cancel" }],
      ["accept with a no", { action: "accept", content: { confirm: false } }],
    ] as const
  ) {
    Deno.test(`${era}: ${what} is CANCELLED, and nothing was done`, async () => {
      await using rig = await openRig();
      await using person = await asking(rig, era, reply);
      equal(codeOf(await remove(person.client)), "CANCELLED");
      deepEqual(rig.tools.begun, ["remove a rehearsed"]);
    });
  }

  Deno.test(`${era}: confirm=true does not skip a question that can be shown; dry_run never asks`, async () => {
    await using rig = await openRig();
    await using person = await asking(rig, era, { action: "accept", content: { confirm: true } });
    await remove(person.client, { confirm: true });
    equal(person.questions.length, 1);
    await remove(person.client, { dry_run: true });
    equal(person.questions.length, 1);
    equal(rig.tools.begun.at(-1), "remove a rehearsed");
  });

  Deno.test(`${era}: nobody is asked about what the tool refuses anyway`, async () => {
    await using rig = await openRig();
    await using person = await asking(rig, era, { action: "accept", content: { confirm: true } });
    equal(codeOf(await remove(person.client, { name: "missing" })), "NOT_FOUND");
    deepEqual(person.questions, []);
  });

  Deno.test(`${era}: off never asks; a client that can't ask goes on as it is`, async () => {
    {
      await using rig = await openRig({ env: { MCP_CONFIRM: "off" } });
      await using person = await asking(rig, era, { action: "decline" });
      ok(!(await remove(person.client)).isError);
      deepEqual([person.questions.length, rig.tools.begun], [0, ["remove a"]]);
    }
    for (const mode of ["ask", "require"]) {
      await using rig = await openRig({ env: { MCP_CONFIRM: mode } });
      const client = await rig.client(era);
      await remove(client);
      await remove(client, { confirm: true });
      // Whether confirm=true is needed the tools room says.
      deepEqual(rig.tools.begun, ["remove a", "remove a confirmed"]);
    }
  });
}

Deno.test("2026: an answer holds for the call it was given to, and for whoever was asked", async () => {
  await using rig = await openRig();
  const ask = (args: Record<string, unknown>, more: Record<string, unknown> = {}) =>
    modernCall(rig.url, { name: "remove", arguments: args, ...more });
  const first = await ask({ name: "a" });
  equal(first.result.resultType, "input_required");
  const state: string = first.result.requestState;
  const yes = { inputResponses: { confirm: { action: "accept", content: { confirm: true } } } };

  const unsigned = await ask({ name: "a" }, yes);
  equal(unsigned.result.resultType, "input_required", "an answer to no question");
  const another = await ask({ name: "b" }, { ...yes, requestState: state });
  equal(another.result.resultType, "input_required", "an answer to another question");
  // Not its last character: base64url has several for the same bytes there.
  const other = state.at(-10) === "A" ? "B" : "A";
  const changed = `${state.slice(0, -10)}${other}${state.slice(-9)}`;
  const forged = await ask({ name: "a" }, { ...yes, requestState: changed });
  equal(forged.error.code, -32602);
  ok(!rig.tools.begun.some((call) => call.endsWith("confirmed")), rig.tools.begun.join());

  const answered = await ask({ name: "a" }, { ...yes, requestState: state });
  match(JSON.stringify(answered.result.content), /Removed a/);
  equal(rig.tools.begun.at(-1), "remove a confirmed");
});

Deno.test("2025: a client that only opens pages is not asked by a form", async () => {
  await using rig = await openRig();
  const client = newClient("2025", { elicitation: { url: {} } });
  await connect(client, rig);
  ok(!(await remove(client)).isError);
  deepEqual(rig.tools.begun, ["remove a"]);
  await client.close();
});

Deno.test("2025: a client that can't put the question after all gets CANCELLED, with its code and hint", async () => {
  await using rig = await openRig();
  const client = newClient("2025", { elicitation: {} });
  client.setRequestHandler("elicitation/create", () => {
    throw new Error("no window is open");
  });
  await connect(client, rig);
  const result = await remove(client);
  equal(result.isError, true);
  equal(codeOf(result), "CANCELLED");
  deepEqual(rig.tools.begun, ["remove a rehearsed"]);
  await client.close();
});

Deno.test("2025: a call that is cancelled while its question is open ends, and nothing was done", async () => {
  await using rig = await openRig();
  const client = newClient("2025", { elicitation: {} });
  let asked = false;
  client.setRequestHandler("elicitation/create", () => {
    asked = true;
    return new Promise(() => {});
  });
  await connect(client, rig);
  const controller = new AbortController();
  const call = client.callTool({ name: "remove", arguments: { name: "a" } }, {
    signal: controller.signal,
  }).catch((cause) => cause);
  while (!asked) await new Promise((resolve) => setTimeout(resolve, 10));
  controller.abort("changed my mind");
  match(String(await call), /changed my mind|abort/i);
  deepEqual(rig.tools.begun, ["remove a rehearsed"]);
  ok(await openSession(rig.url, FULL_TOKEN), "the front room lives");
  await client.close();
});

/** One call as a 2026-07-28 client sends it that can show forms. */
async function modernCall(url: string, params: Record<string, unknown>) {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } },
  };
  const answer = await post(url, {
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { ...params, _meta: meta },
  }, {
    ...bearer(FULL_TOKEN),
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": String(params.name),
  });
  return await answer.json();
}
