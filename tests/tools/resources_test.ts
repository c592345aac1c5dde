/** Resources on a real HAProxy: what each says, which are listed, and which changes are told. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { AgentError } from "../../lib/errors.ts";
import { TOOL_GROUPS } from "../../lib/tool_definition.ts";
import { type ResourceChanges, resourceUri } from "../../lib/resource_definition.ts";
import { listResources, readResource, resources } from "../../tools/resources.ts";
import { eventually } from "../support/eventually.ts";
import { openPki } from "../support/pki.ts";
import { openMoreTools, openTools, type ToolRig } from "../support/tools.ts";

const CALL = { signal: new AbortController().signal, progress: () => {} };

const read = async ({ context }: ToolRig, uri: string, groups = TOOL_GROUPS) =>
  await readResource({ uri, groups }, context, CALL);
const json = async (rig: ToolRig, uri: string) => JSON.parse((await read(rig, uri)).text);
const codeOf = (reading: Promise<unknown>) =>
  reading.then(() => "OK", (cause) => AgentError.from(cause).code);

Deno.test("resources: domains, one domain, certificates and the audit log say what the tools say", async () => {
  await using rig = await openTools();
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1", wildcard: true });
  const domains = await json(rig, "haproxy://domains");
  assert.deepEqual(domains.domains.map(({ domain }: { domain: string }) => domain), [
    "a.test",
    "*.a.test",
  ]);
  const domain = await json(rig, "haproxy://domains/a.test");
  assert.equal(domain.pool, "pool_1");
  assert.equal(domain.servers[0].ip, "10.0.0.1");
  assert.equal(domain.total_count, 1);
  assert.deepEqual(await json(rig, resourceUri("domains", "*.a.test")), {
    ...domain,
    domain: "*.a.test",
  });
  const backend = await json(rig, "haproxy://backends/pool_1");
  assert.deepEqual(backend.domains, ["a.test", "*.a.test"]);
  assert.equal(backend.servers[0].server, "pool_1_1");
  const { certificates } = await json(rig, "haproxy://certificates");
  assert.deepEqual(certificates.map((each: { domain: string }) => each.domain), ["default"]);
  assert.equal((await json(rig, "haproxy://certificates/default")).domain, "default");
  const audit = await read(rig, "haproxy://audit");
  assert.equal(audit.mimeType, "application/jsonl");
  assert.equal(JSON.parse(audit.text).tool, "haproxy_add_domain");
});

Deno.test("resources: the audit log by number of calls, the newest last", async () => {
  await using rig = await openTools();
  for (const domain of ["a.test", "b.test"]) await rig.call("add_domain", { domain });
  await rig.refused("add_domain", { domain: "b.test" });
  const { text } = await read(rig, "haproxy://audit/2");
  assert.deepEqual(text.trim().split("\n").map((line) => JSON.parse(line).code), [
    "OK",
    "CONFLICT",
  ]);
  for (const last of ["0", "1001", "-1", "2x", "1e2"]) {
    assert.equal(await codeOf(read(rig, `haproxy://audit/${last}`)), "VALIDATION", last);
  }
});

Deno.test("resources: haproxy.cfg without its secrets", async () => {
  await using rig = await openTools();
  const { configFile } = rig.haproxy;
  await Deno.writeTextFile(
    configFile,
    `${await Deno.readTextFile(configFile)}userlist u\n    user admin password $5$k6x$abc\n`,
  );
  const { text, mimeType } = await read(rig, "haproxy://config");
  assert.equal(mimeType, "text/plain");
  assert.match(text, /^backend pool_1$/m);
  assert.match(text, /user admin password \(hidden\)/);
  assert.ok(!text.includes("$5$"));
});

Deno.test("resources: what is not there, or not of a URI's grammar, is NOT_FOUND or refused", async () => {
  await using rig = await openTools();
  for (
    const uri of [
      "haproxy://nonesuch",
      "haproxy://domains/",
      "haproxy://domains/a/b",
      "haproxy://domains/a?b",
      "haproxy://domains/%E0%A4%A",
      "haproxy://Domains",
      "file:///etc/passwd",
      "",
    ]
  ) {
    assert.equal(await codeOf(read(rig, uri)), "NOT_FOUND", uri);
  }
  assert.equal(await codeOf(read(rig, "haproxy://domains/missing.test")), "NOT_FOUND");
  assert.equal(await codeOf(read(rig, "haproxy://domains/..%2F..%2Fetc")), "VALIDATION");
  assert.equal(await codeOf(read(rig, "haproxy://certificates/..%2Fa")), "VALIDATION");
  // Of a group that is not offered.
  assert.equal(
    await codeOf(readResource({ uri: "haproxy://audit", groups: ["domains"] }, rig.context, CALL)),
    "NOT_FOUND",
  );
});

Deno.test("resources/list: fixed ones, then a page of domains at a time", async () => {
  const domains = Array.from({ length: 1_200 }, (_, i) => `d${i}.test pool_1`).join("\n");
  await using rig = await openTools({ domains: `${domains}\n` });
  const seen: string[] = [];
  let pages = 0;
  for (let cursor = ""; pages === 0 || cursor !== ""; pages++) {
    const page = await listResources({ cursor, groups: TOOL_GROUPS }, rig.context);
    seen.push(...page.resources.map(({ uri }) => uri));
    cursor = page.nextCursor ?? "";
  }
  const fixed = resources.flatMap(({ definition }) => "uri" in definition ? [definition.uri] : []);
  assert.deepEqual(seen.slice(0, fixed.length), fixed);
  assert.deepEqual([pages, new Set(seen).size, seen.length], [3, 1_204, 1_204]);
  const few = await listResources({ cursor: "", groups: ["certificates"] }, rig.context);
  assert.deepEqual(few.resources.map(({ uri }) => uri), ["haproxy://certificates"]);
});

Deno.test("changes are told: of domains and servers at once, by whomever; a dry run and a refusal are none", async () => {
  const told: ResourceChanges[] = [];
  await using rig = await openTools({ publish: (changes) => void told.push(changes) });
  const take = () => told.splice(0).map(({ list, updated }) => [list, ...updated]);
  const domains = () => take().filter(([, first]) => String(first).includes("domains"));
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  assert.deepEqual(domains(), [[
    true,
    "haproxy://domains",
    "haproxy://domains/a.test",
    "haproxy://backends/pool_1",
  ]]);
  await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 7 });
  assert.deepEqual(domains(), [[
    false,
    "haproxy://domains",
    "haproxy://domains/a.test",
    "haproxy://backends/pool_1",
  ]]);
  await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 7 });
  await rig.call("remove_domain", { domain: "a.test", dry_run: true });
  await rig.refused("add_domain", { domain: "a.test" });
  assert.deepEqual(domains(), []);

  await using other = await openMoreTools(rig.haproxy, { heal: false });
  await other.call("add_domain", { domain: "b.test", share_with: "a.test" });
  await eventually(() => told.some(({ updated }) => updated.includes("haproxy://domains/b.test")));
  assert.deepEqual(domains(), [[
    true,
    "haproxy://domains",
    "haproxy://domains/b.test",
    "haproxy://backends/pool_1",
  ]]);

  const map = join(rig.haproxy.root, "conf/domains.map");
  await eventually(async () => (await Deno.readTextFile(map)).includes("b.test"));
  await Deno.writeTextFile(map, (await Deno.readTextFile(map)).replace("b.test", "c.test"));
  await eventually(() => told.some(({ updated }) => updated.includes("haproxy://domains/c.test")));
});

Deno.test("changes are told: of certificates, the audit log and haproxy.cfg within a moment", async () => {
  const told = new Set<string>();
  await using pki = await openPki();
  await using rig = await openTools({
    publish: ({ updated }) => updated.forEach((uri) => told.add(uri)),
  });
  const { pem } = await pki.issue(["c.test"]);
  await Deno.writeTextFile(join(rig.haproxy.root, "certs/c.test.pem"), pem, { mode: 0o600 });
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await rig.call("load_cert", { domain: "c.test" });
  for (
    const uri of ["haproxy://certificates", "haproxy://certificates/c.test", "haproxy://audit"]
  ) {
    await eventually(() => told.has(uri));
  }
  await Deno.writeTextFile(rig.haproxy.configFile, "# edited\n", { append: true });
  await eventually(() => told.has("haproxy://config"));

  // Replaced by another of the same names: neither the list nor the record is another.
  told.clear();
  const next = await pki.issue(["c.test"]);
  await Deno.writeTextFile(join(rig.haproxy.root, "certs/c.test.pem"), next.pem);
  await rig.call("load_cert", { domain: "c.test" });
  for (const uri of ["haproxy://certificates", "haproxy://certificates/c.test"]) {
    await eventually(() => told.has(uri));
  }
  told.clear();
  const other = await pki.issue(["haproxy-mcp.invalid"]);
  const folder = join(rig.haproxy.root, "certs");
  await Deno.writeTextFile(join(folder, ".new"), other.pem, { mode: 0o600 });
  await Deno.rename(join(folder, ".new"), join(folder, "default.pem"));
  await eventually(() => told.has("haproxy://certificates"));
});
