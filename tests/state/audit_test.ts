import assert from "node:assert/strict";
import { openAudit } from "../../lib/state/audit.ts";
import { testRoot } from "./root.ts";

Deno.test("a line that was cut off stays by itself, and the next one is whole", async () => {
  await using root = await testRoot();
  await Deno.writeTextFile(root.paths.audit, '{"at":"2026","tool":"cut of');
  const log = openAudit(root.files, root.paths, ME);
  await log.append(record("next"));
  const lines = (await root.text("data/audit.jsonl")).trim().split("\n");
  assert.deepEqual([lines.length, JSON.parse(lines[1]).tool], [2, "next"]);
  log.close();
});

Deno.test("while a full log can't make room its lines are kept all the same", async () => {
  await using root = await testRoot();
  const limits = { size: 100, kept: 2 };
  const me = openAudit(root.files, root.paths, ME, limits, 50);
  using held = await Deno.open(root.paths.auditLock, { create: true, write: true, read: true });
  await held.lock(true);
  for (const tool of ["a", "b", "c"]) await me.append(record(tool));
  assert.deepEqual((await me.last(9)).map((line) => JSON.parse(line).tool), ["a", "b", "c"]);
  held.unlockSync();
  me.close();
});

Deno.test("a full log makes room: the newest lines are in audit.jsonl, older ones in numbered files, the oldest go", async () => {
  await using root = await testRoot();
  const limits = { size: 2_000, kept: 2 };
  const logs = [1, 2].map((room) => openAudit(root.files, root.paths, { pid: 1, room }, limits));
  for (let i = 0; i < 100; i++) await logs[i % 2].append(record(`tool_${i}`));
  // Two that find it full at once move it once.
  await Promise.all(
    logs.flatMap((log) => [log.append(record("both")), log.append(record("both"))]),
  );
  const names = await root.files.names(`${root.files.root}/data`);
  assert.deepEqual(names.filter((name) => name.startsWith("audit.jsonl")), [
    "audit.jsonl",
    "audit.jsonl.1",
    "audit.jsonl.2",
  ]);
  const last = (await logs[0].last(12)).map((line) => JSON.parse(line).tool);
  assert.deepEqual(last, [
    ...Array.from({ length: 8 }, (_, i) => `tool_${92 + i}`),
    ...Array.from({ length: 4 }, () => "both"),
  ]);
  const all = (await logs[1].last(1_000)).map((line) => JSON.parse(line).tool);
  assert.equal(new Set(all).size, all.length - 3);
  for (const log of logs) log.close();
});

Deno.test("last finds lines however long they are, and leaves out what was cut off", async () => {
  await using root = await testRoot();
  const lengths = [10, 70_000, 5, 200_000, 65_535, 65_536, 1, 30];
  const lines = lengths.map((length, i) => `{"n":${i},"ü":"${"ü".repeat(length)}"}`);
  await Deno.writeTextFile(root.paths.audit, lines.map((line) => `${line}\n`).join("") + '{"cut');
  const log = openAudit(root.files, root.paths, ME);
  for (let count = 1; count <= lines.length + 1; count++) {
    assert.deepEqual(await log.last(count), lines.slice(-count), `${count}`);
  }
  log.close();
});

const ME = { pid: 1, room: 1 };

const record = (tool: string) => ({
  tool,
  args: { domain: "a\n.test" },
  caller: { transport: "http", who: "MCP_TOKEN 1", client: "test", requestId: "abc" } as const,
  code: "OK",
});

Deno.test("append writes one JSON line a call, with the time in UTC", async () => {
  await using root = await testRoot();
  const log = openAudit(root.files, root.paths, ME);
  await log.append(record("haproxy_add_domain"));
  await log.append({
    ...record("haproxy_add_domain"),
    code: "CONFLICT",
    message: "It exists.",
  });
  const lines = (await root.text("data/audit.jsonl")).split("\n");
  assert.equal(lines.length, 3);
  assert.equal(lines[2], "");
  const [{ at, ...first }, second] = lines.slice(0, 2).map((line) => JSON.parse(line));
  assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(first, {
    request_id: "abc",
    transport: "http",
    who: "MCP_TOKEN 1",
    client: "test",
    tool: "haproxy_add_domain",
    args: { domain: "a\n.test" },
    code: "OK",
  });
  assert.deepEqual([second.code, second.message], ["CONFLICT", "It exists."]);
  assert.equal((await Deno.stat(root.paths.audit)).mode! & 0o777, 0o600);
});

Deno.test("100 calls at once make 100 whole lines", async () => {
  await using root = await testRoot();
  const log = openAudit(root.files, root.paths, ME);
  const tools = Array.from({ length: 100 }, (_, i) => `tool_${i}`);
  await Promise.all(tools.map((tool) => log.append(record(tool))));
  const lines = (await root.text("data/audit.jsonl")).trim().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line).tool).sort(), tools.sort());
});
