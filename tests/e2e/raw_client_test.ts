/** A client without any SDK lists, reads and calls: over HTTP in every protocol version, and over stdio. */
import assert from "node:assert/strict";
import { agentEnv, executable, startServe } from "../support/agent.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { openRawHttp, openRawStdio, type RawClient } from "../support/raw_client.ts";

async function useAll(client: RawClient, domain: string): Promise<void> {
  const names = (answer: { result: Record<string, { name: string }[]> }, key: string) =>
    answer.result[key].map(({ name }) => name);
  const tools = names(await client.ask("tools/list") as never, "tools");
  assert.equal(tools.length, 29);
  const added = await client.ask("tools/call", {
    name: "haproxy_add_domain",
    arguments: { domain, ip: "127.0.0.1" },
  });
  assert.equal(added.result.structuredContent.domain, domain);
  const refused = await client.ask("tools/call", {
    name: "haproxy_add_domain",
    arguments: { domain },
  });
  assert.equal(refused.result._meta["haproxy-mcp/error"].code, "CONFLICT");
  const read = await client.ask("resources/read", { uri: `haproxy://domains/${domain}` });
  assert.equal(JSON.parse(read.result.contents[0].text).domain, domain);
  assert.ok(names(await client.ask("prompts/list") as never, "prompts").includes("site-down"));
  const unknown = await client.ask("tools/call", { name: "nonesuch" });
  assert.equal(unknown.error.code, -32602);
}

Deno.test("a client without an SDK, over HTTP and stdio, in every protocol version", async (t) => {
  await using haproxy = await startHaproxy({ pools: 8, slots: 2 });
  await using agent = await startServe(haproxy);
  const { url, token } = agent;
  for (const version of ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]) {
    await t.step(version, async () => {
      await using client = await openRawHttp({ url, token, era: "2025", version });
      assert.ok(client.session);
      await useAll(client, `v${version}.test`);
    });
  }
  await t.step("2026-07-28", async () => {
    await using client = await openRawHttp({ url, token, era: "2026" });
    await useAll(client, "v2026.test");
    assert.equal(client.session, undefined);
    const discovered = await client.ask("server/discover");
    assert.match(discovered.result.instructions, /pool_N/);
  });
  await t.step("stdio", async () => {
    const client = openRawStdio(
      new Deno.Command(executable(), {
        args: ["stdio"],
        clearEnv: true,
        env: agentEnv(haproxy),
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }),
    );
    {
      await using open = client;
      const { result } = await open.ask("initialize", {
        protocolVersion: "2025-06-18",
        capabilities: {},
        clientInfo: { name: "raw", version: "1" },
      });
      assert.equal(result.protocolVersion, "2025-06-18");
      assert.equal(result.serverInfo.title, "HAProxy");
      await useAll(open, "stdio.test");
    }
    assert.equal(await client.ended, 0);
  });
});
