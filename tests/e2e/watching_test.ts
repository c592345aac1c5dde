/** What an operator watches, on the executable beside a real HAProxy: changes by whomever, probes and metrics. */
import assert from "node:assert/strict";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { agentEnv, executable, runAgent, startServe } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { ERAS, newClient } from "../support/mcp_client.ts";

for (const era of ERAS) {
  Deno.test(`${era}: a client on stdio hears of what another process changes`, async () => {
    await using haproxy = await startHaproxy({ pools: 2, slots: 2, domains: "a.test pool_1\n" });
    const client = newClient(era);
    const heard: string[] = [];
    client.setNotificationHandler("notifications/resources/updated", ({ params }) => {
      heard.push(params.uri);
    });
    client.setNotificationHandler("notifications/resources/list_changed", () => {
      heard.push("list");
    });
    await client.connect(
      new StdioClientTransport({
        command: executable(),
        args: ["stdio"],
        env: agentEnv(haproxy),
        stderr: "ignore",
      }),
    );
    try {
      const uri = "haproxy://domains/a.test";
      if (era === "2025") await client.subscribeResource({ uri });
      else await client.listen({ resourcesListChanged: true, resourceSubscriptions: [uri] });
      const add = ["call", "haproxy_add_server", "--domain", "a.test", "--ip", "127.0.0.1"];
      assert.equal((await runAgent(haproxy, add)).code, 0);
      await eventually(() => heard.includes(uri));
      assert.deepEqual([...new Set(heard)], [uri]);
      const domain = ["call", "haproxy_add_domain", "--domain", "b.test"];
      assert.equal((await runAgent(haproxy, domain)).code, 0);
      await eventually(() => heard.includes("list"));
    } finally {
      await client.close();
    }
  });
}

Deno.test("/readyz and /metrics follow HAProxy: down, up again, and what differs", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 2, domains: "a.test pool_1\n" });
  await using agent = await startServe(haproxy);
  const base = agent.url.replace("/mcp", "");
  const ready = async () => {
    const answer = await fetch(`${base}/readyz`);
    await answer.body?.cancel();
    return answer.status;
  };
  const metric = async (name: string) => {
    const headers = { Authorization: `Bearer ${agent.token}` };
    const text = await (await fetch(`${base}/metrics`, { headers })).text();
    return text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ").at(-1);
  };
  assert.equal(await ready(), 200);
  assert.equal(await metric("haproxy_mcp_haproxy_up"), "1");
  assert.equal(await metric("haproxy_mcp_domains"), "1");
  assert.ok(Number(await metric('haproxy_mcp_certificate_days_left{domain="default"}')) > 300);

  await haproxy.runtime(`add map ${haproxy.options.map} stray.test pool_2`);
  await eventually(async () => await ready() === 503);
  await eventually(async () =>
    await metric('haproxy_mcp_sync_differences{kind="domains"}') === "1"
  );
  await haproxy.runtime(`del map ${haproxy.options.map} stray.test`);
  await eventually(async () => await ready() === 200);

  await haproxy.kill9();
  await eventually(async () => await ready() === 503);
  await eventually(async () => await metric("haproxy_mcp_haproxy_up") === "0");
  assert.equal(await metric('haproxy_mcp_sync_differences{kind="domains"}'), undefined);
  await haproxy.start();
  await eventually(async () => await ready() === 200);
});
