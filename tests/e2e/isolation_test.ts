/** Two clients at once never see each other's results, progress or notifications. */
import assert from "node:assert/strict";
import { startServe, testExecutable } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { type Message, openRawHttp, type RawHttp } from "../support/raw_client.ts";

/** The same ids and the same progress tokens in every client: only the connection tells them apart. */
async function echo(client: RawHttp, who: string, call: number): Promise<void> {
  const text = `${who} ${call}`;
  const { result, others } = await client.ask("tools/call", {
    name: "test_echo",
    arguments: { text, ms: 5 + call % 7 },
    _meta: { progressToken: "same" },
  });
  assert.equal(result.structuredContent.text, text);
  assert.deepEqual(
    others.map(({ params }) => [params?.progressToken, params?.message]),
    [["same", text], ["same", text], ["same", text]],
  );
}

async function collect(stream: AsyncIterable<Message>, into: Message[]): Promise<void> {
  for await (const message of stream) into.push(message);
}

for (const era of ["2025", "2026"] as const) {
  Deno.test(`${era}: eight clients with the same ids and tokens get their own results and progress`, async () => {
    await using haproxy = await startHaproxy({ pools: 2, slots: 2 });
    const env = { MCP_RATE: "0" };
    await using agent = await startServe(haproxy, { program: testExecutable(), env });
    const { url, token } = agent;
    const clients = await Promise.all(
      Array.from({ length: 8 }, () => openRawHttp({ url, token, era })),
    );
    await Promise.all(
      clients.flatMap((client, i) =>
        Array.from({ length: 10 }, (_, call) => echo(client, `client ${i}`, call))
      ),
    );
    for (const client of clients) await client[Symbol.asyncDispose]();
  });

  Deno.test(`${era}: a subscriber hears of its own resources alone, and of nobody's calls`, async () => {
    await using haproxy = await startHaproxy({
      pools: 2,
      slots: 2,
      domains: "a.test pool_1\nb.test pool_2\n",
    });
    await using agent = await startServe(haproxy, { program: testExecutable() });
    const { url, token } = agent;
    const heard: Record<string, Message[]> = { "a.test": [], "b.test": [] };
    const ended: Promise<void>[] = [];
    const clients: RawHttp[] = [];
    for (const domain of ["a.test", "b.test"]) {
      const uri = `haproxy://domains/${domain}`;
      const client = await openRawHttp({ url, token, era });
      clients.push(client);
      if (era === "2025") await client.ask("resources/subscribe", { uri });
      const notifications = { resourceSubscriptions: [uri] };
      ended.push(collect(await client.listen({ notifications }), heard[domain]).catch(() => {}));
    }
    await Promise.all(clients.map((client, i) => echo(client, `client ${i}`, 0)));
    await using other = await agent.connect(era);
    await other.call("add_server", { domain: "a.test", ip: "127.0.0.1" });
    const updated = (domain: string) =>
      heard[domain].flatMap(({ method, params }) =>
        method?.endsWith("updated") ? [params?.uri] : []
      );
    await eventually(() => updated("a.test").length > 0);
    await other.call("add_server", { domain: "b.test", ip: "127.0.0.1" });
    await eventually(() => updated("b.test").length > 0);
    assert.deepEqual(updated("a.test"), ["haproxy://domains/a.test"]);
    assert.deepEqual(updated("b.test"), ["haproxy://domains/b.test"]);
    for (const messages of Object.values(heard)) {
      assert.ok(!messages.some(({ method }) => method === "notifications/progress"));
      assert.ok(!messages.some(({ result }) => result?.structuredContent));
    }
    for (const client of clients) await client[Symbol.asyncDispose]();
    await Promise.all(ended);
  });
}

Deno.test("a session answers to whoever opened it: with another token, or from no token, it is not there", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  await using agent = await startServe(haproxy);
  const { url, token } = agent;
  const file = `${haproxy.root}/conf/mcp-token.env`;
  await Deno.writeTextFile(file, `MCP_TOKEN=${token},other-full\nMCP_READONLY_TOKEN=reader\n`);
  await eventually(() => agent.log().includes("read again"));
  await using owner = await openRawHttp({ url, token, era: "2025" });
  const statusOf = async (method: string, bearer: string) => {
    const answer = await fetch(url, {
      method,
      headers: {
        Authorization: `Bearer ${bearer}`,
        Accept: "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Mcp-Session-Id": owner.session!,
      },
      ...(method === "POST" && { body: '{"jsonrpc":"2.0","id":9,"method":"tools/list"}' }),
    });
    await answer.body?.cancel();
    return answer.status;
  };
  for (const bearer of ["other-full", "reader"]) {
    for (const method of ["POST", "GET", "DELETE"]) {
      assert.equal(await statusOf(method, bearer), 404, `${method} by ${bearer}`);
    }
  }
  assert.equal(await statusOf("POST", token), 200);
});
