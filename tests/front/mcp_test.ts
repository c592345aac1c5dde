/** The MCP protocol over HTTP, in both eras, as a real client sees it. */
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { DEFINITIONS } from "./fixtures.ts";
import { ERAS, openRig, until } from "./rig.ts";

for (const era of ERAS) {
  Deno.test(`${era}: tools/list shows schemas, title and hints as the table has them`, async () => {
    await using rig = await openRig();
    const client = await rig.client(era);
    const { tools } = await client.listTools();
    deepEqual(tools.map(({ name }) => name), DEFINITIONS.map(({ name }) => name));
    const [read] = tools;
    const [definition] = DEFINITIONS;
    equal(read.title, definition.title);
    equal(read.description, definition.description);
    deepEqual(read.inputSchema, definition.inputSchema);
    deepEqual(read.outputSchema, definition.outputSchema);
    deepEqual(read.annotations, { title: definition.title, ...definition.annotations });
    match(read.icons?.[0].src ?? "", /^data:image\/svg\+xml;base64,/);
    const instructions = client.getInstructions() ?? "";
    equal(instructions.split("\n").length, 11, "a sentence and ten lines");
    for (const word of ["pool_N", "slot", "drain", "dry_run", "OUTCOME_UNKNOWN"]) {
      ok(instructions.includes(word), word);
    }
    const server = client.getServerVersion();
    deepEqual([server?.name, server?.title], ["haproxy-mcp", "HAProxy"]);
    match(server?.icons?.[0].src ?? "", /^data:image/);
  });

  Deno.test(`${era}: tools/call hands on arguments unchecked and says who calls`, async () => {
    await using rig = await openRig();
    const client = await rig.client(era);
    const args = { n: "not an integer", unknown: [1, null] };
    const result = await client.callTool({ name: "write", arguments: args });
    deepEqual(result.content, [{ type: "text", text: `echo ${JSON.stringify(args)}` }]);
    const { caller, ...rest } = result.structuredContent as { caller: Record<string, unknown> };
    deepEqual(rest, { args });
    const { requestId, ...who } = caller;
    match(String(requestId), /^[0-9a-f]{12}$/);
    deepEqual(who, {
      transport: "http",
      who: "MCP_TOKEN 1",
      address: "127.0.0.1",
      client: "test-client",
    });
  });

  Deno.test(`${era}: a refusal is an error result with code, message, hint and details`, async () => {
    await using rig = await openRig();
    const client = await rig.client(era);
    const result = await client.callTool({ name: "refuse" });
    equal(result.isError, true);
    deepEqual(result.content, [{
      type: "text",
      text: "Error: pool_5 has no free slot (10 of 10 used). " +
        "Hint: Remove a server or raise HAPROXY_MAX_SLOTS.",
    }]);
    const { request_id, ...error } = result._meta?.["haproxy-mcp/error"] as Record<string, unknown>;
    match(String(request_id), /^[0-9a-f]{12}$/);
    deepEqual(error, {
      code: "CAPACITY",
      message: "pool_5 has no free slot (10 of 10 used).",
      hint: "Remove a server or raise HAPROXY_MAX_SLOTS.",
      details: { pool: "pool_5" },
    });
  });

  Deno.test(`${era}: an unknown tool is a protocol error`, async () => {
    await using rig = await openRig();
    const client = await rig.client(era);
    await rejects(client.callTool({ name: "nonesuch" }), { code: -32602, message: /nonesuch/ });
  });

  Deno.test(`${era}: progress arrives in order, before the result`, async () => {
    await using rig = await openRig();
    const client = await rig.client(era);
    const seen: unknown[] = [];
    await client.callTool({ name: "count" }, { onprogress: (p) => seen.push(p) });
    deepEqual(seen, [1, 2, 3].map((n) => ({ progress: n, total: 3, message: `step ${n}` })));
  });

  Deno.test(`${era}: a cancelled call is aborted in the tools room`, async () => {
    await using rig = await openRig();
    const client = await rig.client(era);
    const controller = new AbortController();
    const call = client.callTool({ name: "slow_write" }, { signal: controller.signal });
    const failed = rejects(call);
    await until(() => rig.tools.begun.includes("slow_write"), "the call has begun");
    controller.abort("the user pressed escape");
    await failed;
    await until(() => rig.tools.aborted.includes("slow_write"), "the tool has seen the abort");
    ok((await client.callTool({ name: "read" })).content);
  });
}
