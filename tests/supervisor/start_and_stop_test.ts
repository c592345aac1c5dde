/** What keeps the agent from starting, and how it ends when it is told to. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { agentCommand, makeRoot, runAgent, startAgent } from "../support/rooms/agent.ts";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Root extends AsyncDisposable {
  readonly path: string;
}

async function temporaryRoot(): Promise<Root> {
  const path = await makeRoot();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

for (const command of ["serve", "stdio"]) {
  Deno.test(`${command} with a corrupt servers.json: exit 4, the file and the place, nothing overwritten`, async () => {
    await using root = await temporaryRoot();
    const file = join(root.path, "conf/servers.json");
    const corrupt = "{\n  pool_1: {}\n}\n";
    await Deno.writeTextFile(file, corrupt);
    const { code, stderr, stdout } = await runAgent([command, "--root", root.path], {
      MCP_HOST: "127.0.0.1",
      MCP_PORT: "0",
    });
    assert.equal(code, 4);
    assert.match(stderr, /servers\.json, line 2, column 3/);
    assert.equal(stdout, "");
    assert.equal(await Deno.readTextFile(file), corrupt);
  });

  Deno.test(`${command} with a symlink that leads out of its root: exit 4`, async () => {
    await using root = await temporaryRoot();
    await Deno.symlink("/etc/hostname", join(root.path, "conf/leads-out"));
    const { code, stderr } = await runAgent([command, "--root", root.path]);
    assert.equal(code, 4);
    assert.match(stderr, /HAPROXY_ROOT=.*conf\/leads-out/);
  });
}

Deno.test("serve with a token file that others can read: exit 4, and the token is not shown", async () => {
  await using root = await temporaryRoot();
  const file = join(root.path, "conf/mcp-token.env");
  await Deno.writeTextFile(file, "MCP_TOKEN=not-to-be-seen\n", { mode: 0o644 });
  const { code, stderr } = await runAgent(["serve", "--root", root.path]);
  assert.equal(code, 4);
  assert.match(stderr, /MCP_TOKEN_FILE=/);
  assert.doesNotMatch(stderr, /not-to-be-seen/);
});

Deno.test("serve on an address that is taken: exit 4 names it", async () => {
  await using root = await temporaryRoot();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const args = ["serve", "--root", root.path, "--host", "127.0.0.1", "--port", String(port)];
  const { code, stderr } = await runAgent(args);
  assert.equal(code, 4);
  assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port}`));
});

Deno.test("serve with a trusted network that is none: exit 4 names the setting", async () => {
  await using root = await temporaryRoot();
  const env = { MCP_TRUSTED_NETWORKS: "10.0.0.0/33", MCP_HOST: "127.0.0.1", MCP_PORT: "0" };
  const { code, stderr } = await runAgent(["serve", "--root", root.path], env);
  assert.equal(code, 4);
  assert.match(stderr, /MCP_TRUSTED_NETWORKS="10\.0\.0\.0\/33"/);
});

Deno.test("the first serve makes the token file and logs its place, never its content", async () => {
  await using agent = await startAgent();
  const file = join(agent.root, "conf/mcp-token.env");
  assert.ok(agent.log().includes(`A token was made: it is in ${file}.`));
  assert.ok(agent.token.length > 40);
  assert.ok(!agent.log().includes(agent.token));
});

Deno.test("a changed token file: the old token is refused and the new one taken, without a restart", async () => {
  await using agent = await startAgent();
  const status = async (token: string) => {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const response = await fetch(agent.url, { method: "POST", headers, body: "{}" });
    await response.body?.cancel();
    return response.status;
  };
  assert.notEqual(await status(agent.token), 401);
  await Deno.writeTextFile(join(agent.root, "conf/mcp-token.env"), "MCP_TOKEN=another\n");
  await pause(1_500);
  assert.equal(await status(agent.token), 401);
  assert.notEqual(await status("another"), 401);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal}: the call in flight is answered, then exit 0`, async () => {
    await using agent = await startAgent();
    const call = agent.call("test_read", { ms: 1_500 });
    await pause(300);
    Deno.kill(agent.pid, signal);
    await pause(300);
    await assert.rejects(fetch(new URL("/healthz", agent.url)), "It still accepts connections.");
    assert.equal((await call).code, undefined);
    assert.equal(await agent.ended, 0);
  });
}

Deno.test("SIGTERM with a call that outlasts the grace: exit 0 all the same", async () => {
  await using agent = await startAgent();
  void agent.call("test_read", { ms: 60_000 }).catch(() => {});
  await pause(300);
  const sentAt = performance.now();
  Deno.kill(agent.pid, "SIGTERM");
  assert.equal(await agent.ended, 0);
  assert.ok(performance.now() - sentAt < 10_000);
});

Deno.test("a second signal ends at once", async () => {
  await using agent = await startAgent();
  void agent.call("test_read", { ms: 60_000 }).catch(() => {});
  await pause(300);
  Deno.kill(agent.pid, "SIGTERM");
  await pause(300);
  const sentAt = performance.now();
  Deno.kill(agent.pid, "SIGTERM");
  assert.equal(await agent.ended, 0);
  assert.ok(performance.now() - sentAt < 2_000);
});

Deno.test("stdio answers on stdout alone, and ends with 0 when stdin does", async () => {
  await using root = await temporaryRoot();
  const io = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  const child = agentCommand(["stdio", "--root", root.path], { LOG_LEVEL: "DEBUG" }, io).spawn();
  const initialize = {
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "test", version: "1" },
    },
  };
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${JSON.stringify(initialize)}\n`));
  await writer.close();
  const { code, stdout } = await child.output();
  assert.equal(code, 0);
  const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ id }) => id), [1]);
});
