/** The route that --mcp-host makes: HAProxy in front of the agent itself. */
import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import { request } from "../support/request.ts";
import { requestHttp2 } from "../support/request_http2.ts";
import { serverState } from "./fixtures.ts";

const HOST = "mcp.example.com";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`the agent's host leads to the agent, over TLS alone: ${version}`, async (t) => {
    await using agent = startBackend("agent");
    await using site = startBackend("site");
    await using haproxy = await startHaproxy({
      version,
      pools: 1,
      slots: 1,
      mcp: { host: HOST, address: agent.address, port: agent.port },
      // A line of the map for the same name must not win.
      domains: `${HOST} pool_1\nexample.com pool_1\n`,
      state: serverState([{ pool: 1, slot: 1, server: site }]),
      edit: (config) =>
        config.replace("timeout client 60s", "timeout client 1s")
          .replace("timeout server 60s", "timeout server 1s"),
    });
    const { httpPort, httpsPort } = haproxy.options;
    const https = (host: string, path = "/") => requestHttp2({ port: httpsPort, host, path });

    await t.step("HTTPS reaches it, in any spelling of the name", async () => {
      for (const host of [HOST, "MCP.example.COM", `${HOST}.`, `${HOST}:${httpsPort}`]) {
        assert.equal((await https(host)).body, "agent\n", host);
      }
    });

    await t.step("it learns who asked and by which name", async () => {
      const headers = JSON.parse((await https(HOST, "/headers")).body);
      assert.equal(headers["x-forwarded-for"], "127.0.0.1");
      assert.equal(headers["x-forwarded-proto"], "https");
      assert.equal(headers["x-forwarded-host"], HOST);
      assert.equal(headers.host, HOST);
    });

    await t.step("HTTP never reaches it, but leads to HTTPS", async () => {
      const before = agent.requests;
      const { status, headers } = await request({ port: httpPort, host: HOST, path: "/mcp?a=b" });
      assert.equal(status, 308);
      assert.equal(headers.location, `https://${HOST}:${httpsPort}/mcp?a=b`);
      assert.equal(agent.requests, before);
    });

    await t.step("other hosts go where they went", async () => {
      assert.equal((await https("example.com")).body, "site\n");
      assert.equal((await https("www.mcp.example.com")).status, 404);
    });

    await t.step("its event streams may be silent for longer than a site's", async () => {
      const silent = "/stream?chunks=2&ms=1800";
      assert.equal((await https(HOST, silent)).body, "agent\nagent\n");
      await assert.rejects(https("example.com", silent));
    });
  });
}
