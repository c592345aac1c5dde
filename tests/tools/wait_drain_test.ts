import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { eventually } from "../support/eventually.ts";
import { openTools } from "../support/tools.ts";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: wait_drain answers when the last request has ended, with progress`, async () => {
    await using one = startBackend("one");
    await using two = startBackend("two");
    await using rig = await openTools({ version });
    await rig.call("add_domain", { domain: "d.test", ip: "127.0.0.1", http_port: one.port });
    await rig.call("add_server", { domain: "d.test", ip: "127.0.0.1", http_port: two.port });
    const slow = rig.get("d.test", "/slow?ms=900");
    while (one.requests + two.requests === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const slot = one.requests > 0 ? 1 : 2;
    await rig.call("set_server_state", { domain: "d.test", slot, state: "drain" });
    const messages: string[] = [];
    const { structured } = await rig.call("wait_drain", { domain: "d.test" }, {
      onProgress: ({ message }) => messages.push(message!),
    });
    assert.equal(structured.drained, true);
    assert.deepEqual(structured.remaining, []);
    assert.ok(messages.length > 0);
    assert.equal(messages[0], `pool_1_${slot} has 1`);
    assert.equal((await slow).status, 200);
  });
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: wait_drain waits for what a worker from before a reload still has`, async () => {
    await using rig = await openTools({ version });
    await using held = heldServer();
    const { ip, http_port } = held;
    await rig.call("add_domain", { domain: "d.test", ip, http_port });
    const slow = rig.get("d.test");
    await held.asked;
    await rig.call("reload");
    // Its slot is another one by now, and in slot 1 is another server.
    await rig.call("add_server", { domain: "d.test", slot: 1, ip: "10.0.0.1" });
    await rig.call("add_server", { domain: "d.test", slot: 3, ip, http_port });
    await rig.call("set_domain_state", { domain: "d.test", state: "drain" });
    const wait = async (args: object) =>
      (await rig.call("wait_drain", { domain: "d.test", ...args })).structured;
    assert.equal((await wait({ slot: 1 })).drained, true);
    const { drained, remaining, old_workers } = await wait({ timeout: 1 });
    assert.deepEqual([drained, remaining], [false, [{ server: "pool_1_3", connections: 1 }]]);
    assert.equal(old_workers, "counted");
    const waiting = wait({});
    held.answer();
    assert.equal((await slow).body, "held");
    assert.equal((await waiting).drained, true);
  });
}

Deno.test("wait_drain says where workers from before a reload could not be asked", async () => {
  await using rig = await openTools({ host: { master: undefined, masterSocket: "/no/such.sock" } });
  await rig.call("add_domain", { domain: "d.test", ip: "10.0.0.1" });
  await rig.call("set_domain_state", { domain: "d.test", state: "drain" });
  const { structured, text } = await rig.call("wait_drain", { domain: "d.test" });
  assert.deepEqual([structured.drained, structured.old_workers], [true, "not asked"]);
  assert.match(
    text,
    /^pool_1_1: drained .* Workers from before a reload were not asked: There is no/,
  );
});

Deno.test("wait_drain calls nothing drained while the master CLI, which answered before, is silent", async () => {
  await using rig = await openTools();
  await using held = heldServer();
  const { ip, http_port } = held;
  await rig.call("add_domain", { domain: "d.test", ip, http_port });
  const slow = rig.get("d.test");
  await held.asked;
  await rig.call("set_domain_state", { domain: "d.test", state: "drain" });
  const { masterPid } = rig.haproxy;
  const messages: string[] = [];
  const onProgress = ({ message = "" }) => void messages.push(message);
  const waiting = rig.call("wait_drain", { domain: "d.test" }, { onProgress });
  await eventually(() => messages.length > 0);
  Deno.kill(masterPid, "SIGSTOP");
  try {
    held.answer();
    assert.equal((await slow).body, "held");
    await eventually(() => messages.some((message) => /did not answer within 2 s/.test(message)));
  } finally {
    Deno.kill(masterPid, "SIGCONT");
  }
  const { structured } = await waiting;
  assert.deepEqual([structured.drained, structured.old_workers], [true, "counted"]);
});

/** A server that answers when it is told to. */
function heldServer() {
  const asked = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async () => {
    asked.resolve();
    await answered.promise;
    return new Response("held");
  });
  return {
    ip: "127.0.0.1",
    http_port: server.addr.port,
    asked: asked.promise,
    answer: () => answered.resolve(),
    [Symbol.asyncDispose]() {
      answered.resolve();
      return server.shutdown();
    },
  };
}

Deno.test("wait_drain answers drained=false with what remains when the timeout passes", async () => {
  await using one = startBackend("one");
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "d.test", ip: "127.0.0.1", http_port: one.port });
  const slow = rig.get("d.test", "/slow?ms=2500");
  while (one.requests === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await rig.call("set_server_state", { domain: "d.test", slot: 1, state: "drain", force: true });
  const { structured, text } = await rig.call("wait_drain", {
    domain: "d.test",
    slot: 1,
    timeout: 1,
  });
  assert.equal(structured.drained, false);
  assert.deepEqual(structured.remaining, [{ server: "pool_1_1", connections: 1 }]);
  assert.match(text, /^Not drained after 1(\.\d)? s: pool_1_1 has 1\.$/);
  assert.equal((await slow).status, 200);
});

Deno.test("wait_drain refuses servers that still take requests", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "d.test", ip: "10.0.0.1" });
  assert.equal((await rig.refused("wait_drain", { domain: "d.test" })).code, "VALIDATION");
  const ready = await rig.refused("wait_drain", { domain: "d.test", slot: 1 });
  assert.match(ready.message, /pool_1_1 is ready/);
  assert.equal((await rig.refused("wait_drain", { domain: "d.test", slot: 2 })).code, "NOT_FOUND");
  for (const timeout of [0, 3601, 1.5, "10"]) {
    assert.equal(
      (await rig.refused("wait_drain", { domain: "d.test", timeout })).code,
      "VALIDATION",
    );
  }
});

Deno.test("wait_drain ends with CANCELLED when its caller cancels", async () => {
  await using one = startBackend("one");
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "d.test", ip: "127.0.0.1", http_port: one.port });
  const slow = rig.get("d.test", "/slow?ms=1000");
  while (one.requests === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await rig.call("set_server_state", { domain: "d.test", slot: 1, state: "drain", force: true });
  const controller = new AbortController();
  const cancelled = rig.refused("wait_drain", { domain: "d.test" }, {
    signal: controller.signal,
    onProgress: () => controller.abort(new DOMException("enough", "AbortError")),
  });
  assert.equal((await cancelled).code, "CANCELLED");
  assert.equal((await slow).status, 200);
});
