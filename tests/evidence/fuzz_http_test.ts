/** Fuzz: whatever comes to the port of `serve`, it answers in HTTP or hangs up, changes nothing, and serves on. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { startServe } from "../support/agent.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { snapshot } from "../support/tools.ts";
import { FULL, record, seedFor } from "../support/evidence/record.ts";
import { textsNear } from "../support/evidence/fuzz.ts";
import { say } from "../support/evidence/say.ts";

const INPUTS = FULL ? 60_000 : 4_000;
const AT_ONCE = 100;
/** A request that is not whole yet waits for its rest: nobody waits for it that long. */
const SILENT_MS = 250;

function requests(token: string): string[] {
  const post = (body: unknown, ...headers: string[]) => {
    const text = JSON.stringify(body);
    return [
      "POST /mcp HTTP/1.1",
      "Host: 127.0.0.1",
      `Authorization: Bearer ${token}`,
      "Accept: application/json, text/event-stream",
      "Content-Type: application/json",
      ...headers,
      `Content-Length: ${text.length}`,
      "",
      text,
    ].join("\r\n");
  };
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "f", version: "1" },
  };
  const meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": params.clientInfo,
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const stateless = [
    "MCP-Protocol-Version: 2026-07-28",
    "Mcp-Method: tools/call",
    "Mcp-Name: haproxy_list_domains",
  ];
  const call = { name: "haproxy_list_domains", arguments: {}, _meta: meta };
  return [
    "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    `GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: haproxy-mcp=x\r\nAccept: text/html\r\n\r\n",
    "OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.test\r\n\r\n",
    "DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: x\r\n\r\n",
    post({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
    post({ jsonrpc: "2.0", id: 1, method: "tools/call", params: call }, ...stateless),
    post([{ jsonrpc: "2.0", id: 1, method: "ping" }]),
    "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n" +
    `Authorization: Bearer ${token}\r\n\r\n5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n`,
  ];
}

/** What could make two of one request, or one of somebody else's. */
const WORDS = [
  "\r\n",
  "\r\n\r\n",
  "Content-Length: 5\r\n",
  "Content-Length: -1\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding : chunked\r\n",
  "X-Forwarded-For: 100.64.0.1\r\n",
  "Host: evil.test\r\n",
  "Connection: keep-alive, Upgrade\r\n",
  "Upgrade: h2c\r\n",
  "Expect: 100-continue\r\n",
  "GET /mcp HTTP/1.1\r\n",
  " HTTP/2.0",
  '"id":null',
  '"method":"tools/call"',
  "0\r\n\r\n",
  "ffffffffffffffff\r\n",
  "\0",
];

Deno.test("whatever comes to its port, serve answers in HTTP or hangs up, changes nothing, and serves on", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 2 });
  await using agent = await startServe(haproxy, { env: { MCP_RATE: "0" } });
  const client = await agent.connect();
  await client.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const before = await snapshot(haproxy);
  const inputs = fc.sample(textsNear(requests(agent.token), WORDS), {
    numRuns: INPUTS,
    seed: seedFor("HTTP requests"),
  });
  const queue = [...inputs.entries()];
  const strange: string[] = [];
  const statuses = new Map<string, number>();
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = queue.pop(); next; next = queue.pop()) {
      const { text: said } = await say(agent.port, next[1], { silentMs: SILENT_MS });
      const status = said === "" ? "hung up" : said.slice(9, 12);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const fine = said === "" || /^HTTP\/1\.[01] [1-4]\d\d /.test(said);
      if (!fine) {
        strange.push(
          `${JSON.stringify(next[1])} was answered ${JSON.stringify(said.slice(0, 300))}`,
        );
      }
    }
  }));
  record("Fuzz inputs", "HTTP requests to serve", { inputs: INPUTS, failed: strange.length });
  assert.deepEqual(strange, []);
  assert.ok((statuses.get("200") ?? 0) > INPUTS / 100, JSON.stringify([...statuses]));
  assert.deepEqual(await snapshot(haproxy), before);
  assert.equal((await client.call("list_domains")).structured.count, 1);
  assert.doesNotMatch(agent.log(), /INTERNAL|is lost/);
});
