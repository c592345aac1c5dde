/** Who gets in, and what they may do: tokens, trusted networks, read-only access, groups of tools. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { bearer, INITIALIZE, post, rawStatus, statusOf } from "../raw.ts";
import { digestOf, ERAS, FULL_TOKEN, openRig, READ_TOKEN, until } from "../rig.ts";

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
    deepEqual([rig.tools.begun, rig.tools.refused], [[], ["write"]]);
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

for (const era of ERAS) {
  Deno.test(`${era}: a token that is no longer accepted loses its streams and sessions at once, others keep theirs`, async () => {
    await using rig = await openRig();
    const heard: Record<string, number> = { full: 0, read: 0 };
    for (const [name, token] of [["full", FULL_TOKEN], ["read", READ_TOKEN]]) {
      const client = await rig.client(era, token);
      client.setNotificationHandler(
        "notifications/resources/list_changed",
        () => void heard[name]++,
      );
      if (era === "2026") await client.listen({ resourcesListChanged: true });
    }
    await until(async () => await rig.gauge("streams") === 2, "both have their stream");
    await rig.tools.publish(true);
    await until(() => heard.full === 1 && heard.read === 1, "both have heard");
    await rig.front.call("setTokens", { full: [await digestOf(FULL_TOKEN)], read: [] });
    await until(async () => await rig.gauge("streams") === 1, "the stream has ended");
    equal(await rig.gauge("sessions"), era === "2025" ? 1 : 0);
    await rig.tools.publish(true);
    await until(() => heard.full === 2, "the other one still hears");
    equal(heard.read, 1);
  });
}
