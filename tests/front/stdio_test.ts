/** MCP over stdin and stdout, with the front room in a process of its own. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { DEFINITIONS, pause } from "./fixtures.ts";
import { ERAS, newClient } from "./rig.ts";

const SCRIPT = new URL("./stdio_process.ts", import.meta.url).pathname;
const ROOT = new URL("../../", import.meta.url).pathname;
const ARGS = ["run", "--quiet", "--frozen", "--no-prompt", `--allow-read=${ROOT}`, SCRIPT];

/** The process, its stdin to write lines to, and all that it wrote once it has ended. */
function start() {
  const child = new Deno.Command(Deno.execPath(), {
    args: ARGS,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  return {
    write: (text: string) => writer.write(new TextEncoder().encode(text)),
    send: (message: Record<string, unknown>) =>
      writer.write(new TextEncoder().encode(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)),
    async end() {
      await writer.close();
      const { code, stdout, stderr } = await child.output();
      const lines = new TextDecoder().decode(stdout).split("\n").filter(Boolean);
      return {
        code,
        stderr: new TextDecoder().decode(stderr),
        messages: lines.map((line) => JSON.parse(line)),
      };
    },
  };
}

const INITIALIZE = {
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test\n{}", version: "1" },
  },
};

for (const era of ERAS) {
  Deno.test(`${era}: stdio lists, calls, refuses and reports progress like HTTP`, async () => {
    const client = newClient(era);
    await client.connect(
      new StdioClientTransport({ command: Deno.execPath(), args: ARGS, env: Deno.env.toObject() }),
    );
    try {
      const { tools } = await client.listTools();
      deepEqual(tools.map(({ name }) => name), DEFINITIONS.map(({ name }) => name));
      const { structuredContent } = await client.callTool({ name: "write", arguments: { n: "x" } });
      const { caller, args } = structuredContent as Record<string, Record<string, unknown>>;
      deepEqual(args, { n: "x" });
      deepEqual([caller.transport, caller.who, caller.client], ["stdio", "local", "test-client"]);
      equal((await client.callTool({ name: "refuse" })).isError, true);
      const seen: number[] = [];
      await client.callTool({ name: "count" }, {
        onprogress: ({ progress }) => seen.push(progress),
      });
      deepEqual(seen, [1, 2, 3]);
    } finally {
      await client.close();
    }
  });
}

Deno.test("stdio: calls in flight at the end of stdin are answered, then the process ends with 0", async () => {
  const agent = start();
  await agent.send(INITIALIZE);
  await agent.send({ method: "notifications/initialized" });
  await agent.send({
    id: 2,
    method: "tools/call",
    params: { name: "patient", arguments: { timeout: 1 } },
  });
  await agent.send({ id: 3, method: "tools/call", params: { name: "read", arguments: {} } });
  const { code, messages, stderr } = await agent.end();
  equal(code, 0);
  equal(stderr, "");
  deepEqual(messages.map(({ id }) => id), [1, 3, 2]);
  match(JSON.stringify(messages[2]), /echo/);
  match(JSON.stringify(messages[2]), /"client":"test\?\{\}"/);
});

Deno.test("stdio: a cancelled call does not keep the process from ending", async () => {
  const agent = start();
  await agent.send(INITIALIZE);
  await agent.send({ id: 2, method: "tools/call", params: { name: "slow_read" } });
  await agent.send({ method: "notifications/cancelled", params: { requestId: 2 } });
  const started = performance.now();
  const { code, messages } = await agent.end();
  ok(performance.now() - started < 10_000);
  equal(code, 0);
  deepEqual(messages.map(({ id }) => id), [1]);
});

Deno.test("2026: stdio: an open subscription does not keep the process from ending", async () => {
  const agent = start();
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  await agent.send({ id: 1, method: "tools/list", params: { _meta } });
  const params = { _meta, notifications: { toolsListChanged: true } };
  await agent.send({ id: 2, method: "subscriptions/listen", params });
  const { code, messages } = await agent.end();
  equal(code, 0);
  const said = messages.map(({ id, method }) => id ?? method).sort();
  deepEqual(said, [1, 2, "notifications/subscriptions/acknowledged"]);
});

Deno.test("stdio: broken lines are passed over, split ones put together, an empty stdin is a clean end", async () => {
  const agent = start();
  await agent.write('not json\n{"broken":\n\n[]\n');
  await agent.send(INITIALIZE);
  await agent.write('{"jsonrpc":"2.0","id":2,"met');
  await pause(100);
  await agent.write('hod":"ping"}\n');
  const { code, messages } = await agent.end();
  equal(code, 0);
  deepEqual(messages.map(({ id }) => id), [1, 2]);
  equal((await start().end()).code, 0);
});
