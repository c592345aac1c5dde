/** The other guards in front of /mcp: Host, Origin, methods and bodies. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { bearer, INITIALIZE, post, rawStatus, statusOf } from "./raw.ts";
import { FULL_TOKEN, openRig } from "./rig.ts";
import { say } from "../support/evidence/say.ts";

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
  const env = {
    MCP_ALLOWED_ORIGINS: "https://app.example.com/, http://localhost:6274, moz-extension://abc",
  };
  await using rig = await openRig({ env });
  const status = (origin: string) =>
    statusOf(post(rig.url, INITIALIZE, { ...bearer(FULL_TOKEN), Origin: origin }));
  for (
    const origin of [
      "https://app.example.com",
      "http://localhost:6274",
      "moz-extension://abc",
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
      `moz-extension://127.0.0.1:${rig.port}`,
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
    const padded = (padding: string) => JSON.stringify({ jsonrpc: "2.0", id: 1, method: padding });
    return padded("x".repeat(length - padded("").length));
  };
  equal(bodyOf(limit).length, limit);
  const read = await post(rig.url, bodyOf(limit), bearer(FULL_TOKEN));
  match((await read.json()).error.message, /Mcp-Session-Id header is required/);
  equal(await statusOf(post(rig.url, bodyOf(limit + 1), bearer(FULL_TOKEN))), 413);
  // A sender that is still sending must not find its pipe broken instead of the answer.
  for (let i = 0; i < 10; i++) {
    equal(await statusOf(post(rig.url, bodyOf(8 * limit), bearer(FULL_TOKEN))), 413);
  }
});

Deno.test("a body that breaks off or is no HTTP is 400, and HTTP/2 is refused with the reason", async () => {
  await using rig = await openRig();
  const head = ["POST /mcp HTTP/1.1", "Host: localhost", `Authorization: Bearer ${FULL_TOKEN}`];
  const chunked = [...head, "Content-Type: application/json", "Transfer-Encoding: chunked"];
  equal(await rawStatus(rig.port, [...chunked, "", "zz", "{}"]), 400);
  equal(await rawStatus(rig.port, ["GET /mcp HTTP/1.0"]), 403);
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

Deno.test("a body in chunks over 1 MiB is 413, whatever length its head tells beside them", async () => {
  await using rig = await openRig();
  const chunk = `10000\r\n${" ".repeat(64 * 1024)}\r\n`;
  for (const lengths of [["Content-Length: 10"], []]) {
    const head = [
      "POST /mcp HTTP/1.1",
      "Host: localhost",
      `Authorization: Bearer ${FULL_TOKEN}`,
      "Content-Type: application/json",
      ...lengths,
      "Transfer-Encoding: chunked",
      "",
      "",
    ].join("\r\n");
    const { statuses } = await say(rig.port, `${head}${chunk.repeat(17)}0\r\n\r\n`);
    deepEqual(statuses, [413], lengths.join());
  }
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

Deno.test("a request in chunks is the last of its connection: what follows may be somebody else's body", async () => {
  await using rig = await openRig();
  const next = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const framings = [
    ["Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Content-Length: 200"],
    ["Content-Length: 200", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
  ];
  for (const lines of framings) {
    const head = ["GET /healthz HTTP/1.1", "Host: localhost", ...lines, "", ""].join("\r\n");
    const { statuses } = await say(rig.port, `${head}0\r\n\r\n${next}`);
    deepEqual(statuses, [200], lines.join());
  }
  const { statuses } = await say(rig.port, next + next, { answers: 2 });
  deepEqual(statuses, [200, 200]);
});
