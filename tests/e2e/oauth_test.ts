/** OAuth in the compiled executable: its front room reaches the issuer, and a JWT gets in. */
import assert from "node:assert/strict";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { startServe, testExecutable } from "../support/agent.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { oauthEnv, startIssuer } from "../support/issuer.ts";
import { connectCaller, ERAS } from "../support/mcp_client.ts";

for (const era of ERAS) {
  Deno.test(`serve: a JWT of the issuer gets a ${era} client in, to what its scope grants`, async () => {
    await using haproxy = await startHaproxy({ pools: 2, slots: 3 });
    await using issuer = await startIssuer();
    const env = oauthEnv(issuer);
    await using agent = await startServe(haproxy, { env, program: testExecutable() });
    const connect = (token: string) => {
      const requestInit = { headers: { Authorization: `Bearer ${token}` } };
      return connectCaller(
        new StreamableHTTPClientTransport(new URL(agent.url), { requestInit }),
        era,
      );
    };
    await using own = await connect(agent.token);
    assert.equal((await own.call("list_domains")).structured.count, 0);
    assert.deepEqual(issuer.requests, []);
    await using writer = await connect(await issuer.sign());
    await writer.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 8080 });
    await using reader = await connect(await issuer.sign({ scope: "haproxy:read" }));
    assert.equal((await reader.call("list_domains")).structured.count, 1);
    await assert.rejects(reader.call("add_domain", { domain: "b.test" }), {
      name: "InsufficientScopeError",
    });
    await assert.rejects(connect(await issuer.sign({ aud: "https://other.example" })));
    const token = await issuer.sign();
    assert.ok(!agent.log().includes(token.split(".")[0]), agent.log());
  });
}
