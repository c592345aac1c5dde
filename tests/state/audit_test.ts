import assert from "node:assert/strict";
import { appendAudit } from "../../lib/state/audit.ts";
import { testRoot } from "./root.ts";

const record = (tool: string) => ({
  tool,
  args: { domain: "a\n.test" },
  caller: { transport: "http" },
  code: "OK",
});

Deno.test("appendAudit writes one JSON line a call, with the time in UTC", async () => {
  await using root = await testRoot();
  await appendAudit(root.files, root.paths.audit, record("haproxy_add_domain"));
  await appendAudit(root.files, root.paths.audit, {
    ...record("haproxy_add_domain"),
    code: "CONFLICT",
    message: "It exists.",
  });
  const lines = (await root.text("data/audit.jsonl")).split("\n");
  assert.equal(lines.length, 3);
  assert.equal(lines[2], "");
  const [{ at, ...first }, second] = lines.slice(0, 2).map((line) => JSON.parse(line));
  assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(first, record("haproxy_add_domain"));
  assert.deepEqual([second.code, second.message], ["CONFLICT", "It exists."]);
  assert.equal((await Deno.stat(root.paths.audit)).mode! & 0o777, 0o600);
});

Deno.test("100 calls at once make 100 whole lines", async () => {
  await using root = await testRoot();
  const tools = Array.from({ length: 100 }, (_, i) => `tool_${i}`);
  await Promise.all(tools.map((tool) => appendAudit(root.files, root.paths.audit, record(tool))));
  const lines = (await root.text("data/audit.jsonl")).trim().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line).tool).sort(), tools.sort());
});
