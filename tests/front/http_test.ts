/** The guards in front of /mcp, spoken to in plain HTTP. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { digestOf, ERAS, FULL_TOKEN, openRig, READ_TOKEN } from "./rig.ts";

const INITIALIZE = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  },
};

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: {
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
      ...headers,
    },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

async function statusOf(answer: Promise<Response>): Promise<number> {
  const response = await answer;
  await response.body?.cancel();
  return response.status;
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

/** A request with headers that fetch does not let one set. */
function rawStatus(port: number, lines: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, "127.0.0.1", () => {
      socket.write([...lines, "Connection: close", "", ""].join("\r\n"));
    });
    socket.once("data", (data) => {
      resolve(Number(String(data).split(" ")[1]));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

Deno.test("auth: /mcp asks for a token and /healthz does not", async () => {
  await using rig = await openRig();
  const refused = await post(rig.url, INITIALIZE);
  equal(refused.status, 401);
  equal(refused.headers.get("www-authenticate"), "Bearer");
  await refused.body?.cancel();
  const health = await fetch(rig.url.replace("/mcp", "/healthz"));
  equal(await health.text(), "ok");
  equal(await rawStatus(rig.port, ["GET /healthz HTTP/1.1", "Host: anything.example"]), 200);
});

Deno.test("auth: a wrong token is refused in any spelling, a right one accepted", async () => {
  await using rig = await openRig();
  const wrong = await post(rig.url, INITIALIZE, bearer("wrong"));
  equal(wrong.status, 401);
  match(wrong.headers.get("www-authenticate") ?? "", /^Bearer error="invalid_token"$/);
  await wrong.body?.cancel();
  for (
    const authorization of [
      FULL_TOKEN,
      `Basic ${FULL_TOKEN}`,
      "Bearer",
      "Bearer ",
      `Bearer ${FULL_TOKEN}x`,
      `Bearer ${FULL_TOKEN.slice(0, -1)}`,
      `Bearer ${FULL_TOKEN} ${FULL_TOKEN}`,
      `Bearer ${FULL_TOKEN.toUpperCase()}`,
    ]
  ) {
    const headers = { Authorization: authorization };
    equal(await statusOf(post(rig.url, INITIALIZE, headers)), 401, authorization);
  }
  equal(await statusOf(post(rig.url, INITIALIZE, bearer(FULL_TOKEN))), 200);
  equal(
    await statusOf(post(rig.url, INITIALIZE, { Authorization: `bearer ${READ_TOKEN}` })),
    200,
  );
});

Deno.test("auth: without any token in the file nobody gets in", async () => {
  await using rig = await openRig();
  await rig.front.call("setTokens", { full: [], read: [] });
  equal(await statusOf(post(rig.url, INITIALIZE, bearer(FULL_TOKEN))), 401);
  equal(await statusOf(post(rig.url, INITIALIZE, bearer(""))), 401);
});

Deno.test("setTokens: a rotated list holds from the next request on, in open sessions too", async () => {
  await using rig = await openRig();
  const client = await rig.client("2025");
  const next = await digestOf("next");
  await rig.front.call("setTokens", { full: [await digestOf(FULL_TOKEN), next], read: [] });
  await client.listTools();
  equal(await statusOf(post(rig.url, INITIALIZE, bearer("next"))), 200);
  await rig.front.call("setTokens", { full: [next], read: [await digestOf(FULL_TOKEN)] });
  ok(!(await client.listTools()).tools.some(({ name }) => name === "write"));
  await rig.front.call("setTokens", { full: [next], read: [] });
  equal(await statusOf(post(rig.url, INITIALIZE, bearer(FULL_TOKEN))), 401);
});

Deno.test("auth: a trusted network needs no token, whatever forwarding headers say", async () => {
  const forwarded = { "X-Forwarded-For": "100.64.0.1", Forwarded: "for=100.64.0.1" };
  {
    await using rig = await openRig();
    equal(await statusOf(post(rig.url, INITIALIZE, forwarded)), 401);
  }
  await using rig = await openRig({ env: { MCP_TRUSTED_NETWORKS: "127.0.0.0/8" } });
  equal(await statusOf(post(rig.url, INITIALIZE)), 200);
  equal(await statusOf(post(rig.url, INITIALIZE, { "X-Forwarded-For": "8.8.8.8" })), 200);
});

Deno.test("auth: an IPv4 peer on an IPv6 socket is judged as IPv4, ::1 by its own block", async () => {
  const env = { MCP_HOST: "::", MCP_TRUSTED_NETWORKS: "127.0.0.0/8" };
  await using rig = await openRig({ env });
  equal(await statusOf(post(rig.url, INITIALIZE)), 200);
  const ipv6 = rig.url.replace("127.0.0.1", "[::1]");
  equal(await statusOf(post(ipv6, INITIALIZE)), 401);
  await using other = await openRig({ env: { MCP_HOST: "::1", MCP_TRUSTED_NETWORKS: "::1/128" } });
  equal(await statusOf(post(other.url.replace("127.0.0.1", "[::1]"), INITIALIZE)), 200);
});

Deno.test("serveHttp refuses a trusted network that is none", async () => {
  const opened = openRig({ settings: { trustedNetworks: ["10.0.0.0/33"] } });
  match(String(await opened.then(() => "opened", (error) => error)), /10\.0\.0\.0\/33/);
});

for (const era of ERAS) {
  Deno.test(`${era}: a read-only token neither lists nor calls what writes`, async () => {
    await using rig = await openRig();
    const client = await rig.client(era, READ_TOKEN);
    const names = (await client.listTools()).tools.map(({ name }) => name);
    deepEqual(names.filter((name) => /write|late/.test(name)), []);
    ok(names.includes("read"));
    const refused = await client.callTool({ name: "write", arguments: {} });
    equal(refused.isError, true);
    equal((refused._meta?.["haproxy-mcp/error"] as { code: string }).code, "REFUSED");
    deepEqual(rig.tools.begun, []);
    ok(!(await client.callTool({ name: "read" })).isError);
  });

  Deno.test(`${era}: MCP_TRUSTED_ACCESS=read holds for who comes without a token`, async () => {
    const env = { MCP_TRUSTED_NETWORKS: "127.0.0.0/8", MCP_TRUSTED_ACCESS: "read" };
    await using rig = await openRig({ env });
    const stranger = await rig.client(era, "not a token of ours");
    ok((await stranger.callTool({ name: "write", arguments: {} })).isError);
    const owner = await rig.client(era, FULL_TOKEN);
    ok(!(await owner.callTool({ name: "write", arguments: {} })).isError);
  });

  Deno.test(`${era}: MCP_READ_ONLY and MCP_TOOLSETS leave tools out of the list and of calls`, async () => {
    {
      await using rig = await openRig({ env: { MCP_READ_ONLY: "true" } });
      const client = await rig.client(era);
      const { tools } = await client.listTools();
      ok(tools.length > 0 && tools.every(({ annotations }) => annotations?.readOnlyHint));
      const call = client.callTool({ name: "write", arguments: {} });
      match(String(await call.catch((error) => error)), /not found/);
      deepEqual(rig.tools.begun, []);
    }
    await using rig = await openRig({ env: { MCP_TOOLSETS: "servers,health" } });
    const client = await rig.client(era);
    deepEqual((await client.listTools()).tools.map(({ name }) => name), ["write", "count"]);
    const call = client.callTool({ name: "read", arguments: {} });
    match(String(await call.catch((error) => error)), /not found/);
  });
}

Deno.test("Host: names that are not listed are refused, before the token is looked at", async () => {
  await using rig = await openRig({ allowedHosts: ["LocalHost", "127.0.0.1", "::1", "[fd00::7]"] });
  const authorization = `Authorization: Bearer ${FULL_TOKEN}`;
  const status = (host: string) =>
    rawStatus(rig.port, ["PUT /mcp HTTP/1.1", `Host: ${host}`, authorization]);
  for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:8000", "[::1]", "[FD00:0::7]:9"]) {
    equal(await status(host), 405, host);
  }
  for (
    const host of [
      "evil.example",
      "localhost.evil.example",
      "evil.example:8000",
      "localhost@evil.example",
      "evil.example/localhost",
      "evil.example#localhost",
      "[::2]",
      "127.0.0.2",
    ]
  ) {
    equal(await status(host), 403, host);
  }
  equal(await rawStatus(rig.port, ["PUT /mcp HTTP/1.0", authorization]), 403);
});

Deno.test("Origin: none, our own and allowed ones pass, all others are refused", async () => {
  const env = { MCP_ALLOWED_ORIGINS: "https://app.example.com, http://localhost:6274" };
  await using rig = await openRig({ env });
  const status = (origin: string) =>
    statusOf(post(rig.url, INITIALIZE, { ...bearer(FULL_TOKEN), Origin: origin }));
  for (
    const origin of [
      "https://app.example.com",
      "http://localhost:6274",
      `http://127.0.0.1:${rig.port}`,
    ]
  ) {
    equal(await status(origin), 200, origin);
  }
  for (
    const origin of [
      "https://evil.example",
      "http://app.example.com",
      "https://app.example.com:444",
      "https://app.example.com.evil.example",
      "http://127.0.0.1:1",
      "null",
      "",
      "nonsense",
    ]
  ) {
    equal(await status(origin), 403, origin);
  }
});

Deno.test("OPTIONS answers allowed origins only, without a token", async () => {
  const env = { MCP_ALLOWED_ORIGINS: "https://app.example.com" };
  await using rig = await openRig({ env });
  const ask = (headers: Record<string, string>) => fetch(rig.url, { method: "OPTIONS", headers });
  const allowed = await ask({
    Origin: "https://app.example.com",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,mcp-session-id",
  });
  equal(allowed.status, 204);
  equal(allowed.headers.get("access-control-allow-origin"), "https://app.example.com");
  match(allowed.headers.get("access-control-allow-methods") ?? "", /POST/);
  match(allowed.headers.get("access-control-allow-headers") ?? "", /mcp-session-id/);
  equal(await statusOf(ask({ Origin: "https://evil.example" })), 403);
  equal(await statusOf(ask({})), 403);
});

Deno.test("CORS: an allowed origin may read answers, refusals included", async () => {
  const origin = { Origin: "https://app.example.com" };
  await using rig = await openRig({ env: { MCP_ALLOWED_ORIGINS: origin.Origin } });
  const answered = await post(rig.url, INITIALIZE, { ...origin, ...bearer(FULL_TOKEN) });
  equal(answered.headers.get("access-control-allow-origin"), origin.Origin);
  match(answered.headers.get("access-control-expose-headers") ?? "", /mcp-session-id/i);
  ok(answered.headers.get("mcp-session-id"));
  match(await answered.text(), /"serverInfo"/);
  const refused = await post(rig.url, INITIALIZE, origin);
  equal(refused.status, 401);
  equal(refused.headers.get("access-control-allow-origin"), origin.Origin);
  await refused.body?.cancel();
});

Deno.test("a body over 1 MiB is 413, one of 1 MiB is read", async () => {
  await using rig = await openRig();
  const limit = 1024 * 1024;
  const bodyOf = (length: number) => {
    const padded = (padding: string) =>
      JSON.stringify({ ...INITIALIZE, params: { ...INITIALIZE.params, padding } });
    return padded("x".repeat(length - padded("").length));
  };
  equal(bodyOf(limit).length, limit);
  equal(await statusOf(post(rig.url, bodyOf(limit), bearer(FULL_TOKEN))), 200);
  equal(await statusOf(post(rig.url, bodyOf(limit + 1), bearer(FULL_TOKEN))), 413);
});

Deno.test("a streamed body over 1 MiB is 413 as soon as it is", async () => {
  await using rig = await openRig();
  const answer = fetch(rig.url, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...bearer(FULL_TOKEN) },
    body: new ReadableStream({
      start(controller) {
        for (let i = 0; i < 17; i++) controller.enqueue(new Uint8Array(64 * 1024).fill(32));
        controller.close();
      },
    }),
  });
  equal(await statusOf(answer), 413);
});

Deno.test("broken JSON is 400 with a parse error, other methods are 405", async () => {
  await using rig = await openRig();
  for (const body of ["", "{", "\u0000", '{"jsonrpc":"2.0"', "[1,"]) {
    const answer = await post(rig.url, body, bearer(FULL_TOKEN));
    equal(answer.status, 400, body);
    equal((await answer.json()).error.code, -32700);
  }
  for (const body of ["null", "[]", "1", "{}", '"initialize"']) {
    const status = await statusOf(post(rig.url, body, bearer(FULL_TOKEN)));
    ok(status >= 400 && status < 500, `${body}: ${status}`);
  }
  const put = await fetch(rig.url, { method: "PUT", headers: bearer(FULL_TOKEN) });
  equal(put.status, 405);
  equal(put.headers.get("allow"), "GET, POST, DELETE");
  await put.body?.cancel();
});
