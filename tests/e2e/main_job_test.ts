/** The main job: a domain comes, is served, is listed and goes, through both transports of the executable. */
import assert from "node:assert/strict";
import { connectStdio } from "../support/agent.ts";
import { startBackend } from "../support/backend.ts";
import { type Haproxy, HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import { ERAS, type ToolCaller } from "../support/mcp_client.ts";
import { bodyOf, get, openSite } from "./site.ts";

async function addListRemove(haproxy: Haproxy, caller: ToolCaller): Promise<void> {
  await using one = startBackend("one");
  const worker = await haproxy.workerPid();
  const unknown = await get(haproxy, "shop.test");
  assert.equal(unknown.status, 404);

  const place = { ip: "127.0.0.1", http_port: one.port };
  const server = { slot: 1, name: "pool_1_1", ...place, weight: 1, state: "ready" };
  const added = await caller.call("add_domain", { domain: "shop.test", ...place });
  assert.deepEqual(added.structured, {
    domain: "shop.test",
    pool: "pool_1",
    shared: false,
    wildcard: false,
    servers: [server],
  });
  assert.equal(await bodyOf(haproxy, "shop.test"), "one\n");

  const listed = await caller.call("list_domains");
  assert.equal(listed.text, `• shop.test -> pool_1 (pool): pool_1_1=127.0.0.1:${one.port}`);
  assert.deepEqual(listed.structured, {
    domains: [{
      domain: "shop.test",
      pool: "pool_1",
      wildcard: false,
      shared_with: [],
      servers: [server],
    }],
    count: 1,
    next_cursor: "",
  });

  const removed = await caller.call("remove_domain", { domain: "shop.test" });
  assert.deepEqual(removed.structured, {
    domain: "shop.test",
    pool: "pool_1",
    pool_released: true,
    servers_removed: 1,
  });
  assert.deepEqual(await get(haproxy, "shop.test").then(({ status, body }) => [status, body]), [
    404,
    unknown.body,
  ]);
  assert.equal((await caller.call("list_domains")).structured.count, 0);
  assert.equal(one.requests, 1);
  assert.equal(await haproxy.workerPid(), worker);
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: a stdio client adds, lists and removes a domain`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 2, slots: 3 });
    await using caller = await connectStdio(haproxy);
    await addListRemove(haproxy, caller);
  });

  for (const era of version === "3.2" ? ERAS : ["2025"] as const) {
    Deno.test(`${version}: an HTTP client of ${era} adds, lists and removes a domain`, async () => {
      await using site = await openSite({ version, era });
      await addListRemove(site.haproxy, site.http);
    });
  }
}
