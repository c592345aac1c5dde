/** OAuth as HTTP clients see it: JWTs beside our own tokens, the challenge, and the metadata (RFC 9728). */
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { protectedResource } from "../../../lib/front/access/protected_resource.ts";
import { AUDIENCE, type Issuer, oauthEnv, startIssuer } from "../../support/issuer.ts";
import { bearer, INITIALIZE, post, rawStatus, statusOf } from "../raw.ts";
import { ERAS, FULL_TOKEN, openRig, READ_TOKEN } from "../rig.ts";

const WELL_KNOWN = "/.well-known/oauth-protected-resource";
const RESOURCE_METADATA = `https://mcp.example.com${WELL_KNOWN}/mcp`;
const TO_ASK_FOR = `scope="haproxy:read haproxy:write", resource_metadata="${RESOURCE_METADATA}"`;

const openOAuthRig = (issuer: Issuer) => openRig({ env: oauthEnv(issuer) });

for (const era of ERAS) {
  Deno.test(`${era}: a JWT with haproxy:write may call what writes`, async () => {
    await using issuer = await startIssuer();
    await using rig = await openOAuthRig(issuer);
    const client = await rig.client(era, await issuer.sign());
    ok((await client.listTools()).tools.some(({ name }) => name === "write"));
    ok(!(await client.callTool({ name: "write", arguments: {} })).isError);
  });

  Deno.test(`${era}: a JWT with haproxy:read neither lists nor calls what writes`, async () => {
    await using issuer = await startIssuer();
    await using rig = await openOAuthRig(issuer);
    const client = await rig.client(era, await issuer.sign({ scope: "haproxy:read" }));
    const names = (await client.listTools()).tools.map(({ name }) => name);
    ok(names.includes("read") && !names.some((name) => /write|late/.test(name)), String(names));
    // The client is told which scopes to ask the issuer for, and this one has no way to do so.
    await rejects(client.callTool({ name: "write", arguments: {} }), {
      name: "InsufficientScopeError",
      message: /haproxy:read haproxy:write/,
    });
    deepEqual(rig.tools.begun, []);
    ok(!(await client.callTool({ name: "read" })).isError);
  });

  Deno.test(`${era}: our own tokens work as before, and the issuer hears nothing of them`, async () => {
    await using issuer = await startIssuer();
    await using rig = await openOAuthRig(issuer);
    ok(!(await (await rig.client(era)).callTool({ name: "write", arguments: {} })).isError);
    ok(!(await (await rig.client(era, READ_TOKEN)).callTool({ name: "read" })).isError);
    equal(await statusOf(post(rig.url, INITIALIZE, bearer("wrong"))), 401);
    deepEqual(issuer.requests, []);
  });
}

Deno.test("the challenge says where the issuer is found, what to ask it for, and what was wrong", async () => {
  await using issuer = await startIssuer();
  await using rig = await openOAuthRig(issuer);
  const challenged = async (headers: Record<string, string>) => {
    const answer = await post(rig.url, INITIALIZE, headers);
    await answer.body?.cancel();
    return [answer.status, answer.headers.get("www-authenticate")];
  };
  deepEqual(await challenged({}), [401, `Bearer ${TO_ASK_FOR}`]);
  const wrong = [401, `Bearer error="invalid_token", ${TO_ASK_FOR}`];
  deepEqual(await challenged(bearer(await issuer.sign({ exp: 1 }))), wrong);
  deepEqual(await challenged(bearer("opaque")), wrong);
  deepEqual(await challenged(bearer(await issuer.sign({ scope: "openid" }))), [
    403,
    `Bearer error="insufficient_scope", ${TO_ASK_FOR}`,
  ]);
});

Deno.test("while the issuer does not answer its tokens are 503, however many, and ours get in", async () => {
  const issuer = await startIssuer();
  const token = await issuer.sign();
  await issuer[Symbol.asyncDispose]();
  await using rig = await openOAuthRig(issuer);
  for (let i = 0; i < 15; i++) {
    const answer = await post(rig.url, INITIALIZE, bearer(token));
    await answer.body?.cancel();
    deepEqual([answer.status, answer.headers.get("retry-after")], [503, "5"]);
  }
  equal(await statusOf(post(rig.url, INITIALIZE, bearer(FULL_TOKEN))), 200);
});

Deno.test("a session belongs to its subject: another one's JWT does not open it", async () => {
  await using issuer = await startIssuer();
  await using rig = await openOAuthRig(issuer);
  // The log shows both alike.
  const [owner, other] = ["1", "2"].map((end) => "x".repeat(64) + end);
  const opened = await post(rig.url, INITIALIZE, bearer(await issuer.sign({ sub: owner })));
  await opened.body?.cancel();
  const session = { "Mcp-Session-Id": opened.headers.get("mcp-session-id")! };
  const ping = async (claims: Record<string, unknown>) => {
    const headers = { ...bearer(await issuer.sign(claims)), ...session };
    return await statusOf(post(rig.url, { jsonrpc: "2.0", id: 2, method: "ping" }, headers));
  };
  equal(await ping({ sub: owner, jti: "refreshed" }), 200);
  equal(await ping({ sub: other }), 404);
});

Deno.test("metadata: open to all at every spelling, behind the Host check", async () => {
  await using issuer = await startIssuer();
  await using rig = await openOAuthRig(issuer);
  for (const path of [WELL_KNOWN, `${WELL_KNOWN}/mcp`, `${WELL_KNOWN}/behind/a/proxy`]) {
    const answer = await fetch(new URL(path, rig.url));
    equal(answer.status, 200, path);
    deepEqual(await answer.json(), {
      resource: AUDIENCE,
      authorization_servers: [issuer.url],
      scopes_supported: ["haproxy:read", "haproxy:write"],
      bearer_methods_supported: ["header"],
      resource_name: "haproxy-mcp",
    });
  }
  const status = (method: string, path: string, host: string) =>
    rawStatus(rig.port, [`${method} ${path} HTTP/1.1`, `Host: ${host}`]);
  equal(await status("GET", WELL_KNOWN, "evil.example"), 403);
  equal(await status("POST", WELL_KNOWN, "localhost"), 401);
  equal(await status("GET", `${WELL_KNOWN}x`, "localhost"), 401);
  deepEqual(issuer.requests, []);
});

Deno.test("metadata: without OAuth there is none", async () => {
  await using rig = await openRig();
  const url = new URL(WELL_KNOWN, rig.url);
  equal(await statusOf(fetch(url)), 401);
  equal(await statusOf(fetch(url, { headers: bearer(FULL_TOKEN) })), 404);
});

Deno.test("protectedResource: the audience is the resource where it can be, else the Host's /mcp", () => {
  const of = (audience: string, host = "lb.example:8000") => {
    const resource = protectedResource({ issuer: "https://id.example", audience });
    return [resource.metadata(host).resource, resource.metadataUrl(host)];
  };
  for (
    const [audience, metadataUrl] of [
      ["https://mcp.example.com/mcp", `https://mcp.example.com${WELL_KNOWN}/mcp`],
      ["https://mcp.example.com", `https://mcp.example.com${WELL_KNOWN}`],
      ["https://mcp.example.com/", `https://mcp.example.com${WELL_KNOWN}`],
      ["https://mcp.example.com:8443/a/b/", `https://mcp.example.com:8443${WELL_KNOWN}/a/b/`],
      ["https://mcp.example.com/mcp?lb=1", `https://mcp.example.com${WELL_KNOWN}/mcp?lb=1`],
      ["http://localhost:8000/mcp", `http://localhost:8000${WELL_KNOWN}/mcp`],
    ]
  ) {
    deepEqual(of(audience), [audience, metadataUrl]);
  }
  const derived = ["https://lb.example:8000/mcp", `https://lb.example:8000${WELL_KNOWN}/mcp`];
  for (const audience of ["haproxy-mcp", "urn:example:mcp", "https://", "https://a.example/#x"]) {
    deepEqual(of(audience), derived);
  }
  const bracketed = ["https://[::1]:8000/mcp", `https://[::1]:8000${WELL_KNOWN}/mcp`];
  deepEqual(of("mcp", "[0::1]:8000"), bracketed);
});
