/** Remote clients as the original has them: HAProxy terminates TLS for the agent's own host name and forwards to it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { startServe, testExecutable } from "../support/agent.ts";
import { openNamedFetch } from "../support/connect_proxy.ts";
import { curl, HTTP_VERSIONS, type HttpVersion } from "../support/curl.ts";
import { eventually } from "../support/eventually.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { connectCaller, ERAS } from "../support/mcp_client.ts";
import { openPki } from "../support/pki.ts";
import { freePort } from "../support/ports.ts";
import { openRawHttp } from "../support/raw_client.ts";

const HOST = "mcp.example.com";

for (const version of ["3.2", "3.4"] as const) {
  Deno.test(`through HAProxy ${version} with TLS: every call and every stream, with the token alone`, async (t) => {
    const agentPort = freePort();
    await using pki = await openPki();
    const root = await pki.issue([], { subject: "/CN=Test Root" });
    await using haproxy = await startHaproxy({
      version,
      pools: 4,
      slots: 2,
      mcp: { host: HOST, address: "127.0.0.1", port: agentPort },
      // Shorter than the streams of this test are silent.
      edit: (config) =>
        config.replace("timeout client 60s", "timeout client 1s")
          .replace("timeout server 60s", "timeout server 1s"),
    });
    await using agent = await startServe(haproxy, {
      program: testExecutable(),
      env: { MCP_PORT: String(agentPort), MCP_ALLOWED_HOSTS: `${HOST},127.0.0.1` },
    });
    const { token } = agent;
    const { pem } = await pki.issue([HOST], { by: root });
    await Deno.writeTextFile(join(haproxy.root, `certs/${HOST}.pem`), pem, { mode: 0o600 });
    await using local = await agent.connect();
    await local.call("load_cert", { domain: HOST });

    const { httpsPort } = haproxy.options;
    const url = `https://${HOST}:${httpsPort}/mcp`;
    await using named = await openNamedFetch(root.certificate);
    const { fetch } = named;

    for (const era of ERAS) {
      await t.step(`${era}: lists, changes, and is refused like a local client`, async () => {
        const transport = new StreamableHTTPClientTransport(new URL(url), {
          fetch,
          requestInit: { headers: { Authorization: `Bearer ${token}` } },
        });
        await using caller = await connectCaller(transport, era);
        await caller.call("add_domain", { domain: `d${era}.test`, ip: "127.0.0.1" });
        const error = await caller.refused("add_domain", { domain: `d${era}.test` });
        assert.equal(error.code, "CONFLICT");
      });

      await t.step(`${era}: progress comes when it is made, not with the result`, async () => {
        await using client = await openRawHttp({ url, token, era, fetch });
        const answer = await fetch(url, streamed(client.session, era, token));
        const arrivals: { readonly at: number; readonly text: string }[] = [];
        for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) {
          arrivals.push({ at: performance.now(), text });
        }
        const [first] = arrivals.filter(({ text }) => text.includes("notifications/progress"));
        const last = arrivals.findLast(({ text }) => text.includes('"result"'))!;
        assert.ok(last.at - first.at > 500, `${last.at - first.at} ms apart`);
      });

      await t.step(
        `${era}: a stream that is silent for longer than HAProxy's timeouts lives on`,
        async () => {
          await using client = await openRawHttp({ url, token, era, fetch });
          const uri = `haproxy://domains/d${era}.test`;
          if (era === "2025") await client.ask("resources/subscribe", { uri });
          const notifications = { resourceSubscriptions: [uri] };
          const heard: string[] = [];
          const listening = client.listen({ notifications }).then(async (messages) => {
            for await (const { method } of messages) heard.push(method!);
          }).catch((cause) => heard.push(String(cause)));
          await new Promise((resolve) => setTimeout(resolve, 2_500));
          await local.call("set_server_weight", {
            domain: `d${era}.test`,
            slot: 1,
            weight: era === "2025" ? 5 : 6,
          });
          await eventually(() => heard.includes("notifications/resources/updated"));
          await client[Symbol.asyncDispose]();
          await listening;
        },
      );
    }

    await t.step("without a token 401, in every HTTP version; the probes are open", async () => {
      for (const http of Object.keys(HTTP_VERSIONS) as HttpVersion[]) {
        const at = { host: HOST, port: httpsPort, root: root.certificate };
        const refused = await curl(http, { ...at, path: "/mcp" });
        assert.deepEqual([refused.status, refused.version], [401, http]);
        assert.equal((await curl(http, { ...at, path: "/healthz" })).status, 200);
      }
    });

    await t.step(
      "a forged address opens nothing, neither through HAProxy nor past it",
      async () => {
        const forged = {
          "X-Forwarded-For": "100.64.0.1",
          "X-Real-IP": "100.64.0.1",
          "Forwarded": "for=100.64.0.1",
        };
        for (const [where, ask] of [[url, fetch], [agent.url, globalThis.fetch]] as const) {
          for (const headers of [forged, {}]) {
            const answer = await ask(where, { headers });
            await answer.body?.cancel();
            assert.equal(answer.status, 401, where);
          }
        }
      },
    );

    await t.step("another Host than the listed ones gets 403 from the agent itself", async () => {
      const answer = await fetch(url, { headers: { Origin: "https://evil.example" } });
      await answer.body?.cancel();
      assert.equal(answer.status, 403);
    });
  });
}

/** A call of test_echo that makes progress for a second, as a request whose answer is read bit by bit. */
function streamed(session: string | undefined, era: "2025" | "2026", token: string): RequestInit {
  const meta = era === "2025" ? {} : {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  return {
    method: "POST",
    headers: {
      Authorization: `Bearer ${token}`,
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      "MCP-Protocol-Version": era === "2025" ? "2025-11-25" : "2026-07-28",
      ...(session && { "Mcp-Session-Id": session }),
      ...(era === "2026" && { "Mcp-Method": "tools/call", "Mcp-Name": "test_echo" }),
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 99,
      method: "tools/call",
      params: {
        name: "test_echo",
        arguments: { text: "x", steps: 5, ms: 200 },
        _meta: { progressToken: 1, ...meta },
      },
    }),
  };
}
