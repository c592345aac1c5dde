/** `backup` and `restore`, as their orders reach the tools room. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { unpackBackup } from "../../lib/backup/archive.ts";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { openPki } from "../support/pki.ts";
import { openTools, type ToolRig, type ToolRigOptions } from "../support/tools.ts";
import { bytes, filesOf, ordersOf, text, withFiles } from "./orders.ts";

const at = ({ haproxy }: ToolRig, path: string) => join(haproxy.root, path);
const audited = async (rig: ToolRig) =>
  (await Deno.readTextFile(at(rig, "data/audit.jsonl"))).trimEnd().split("\n")
    .map((line) => JSON.parse(line));

/** Two domains, three servers, and what may go with a backup besides. */
async function openSite(options: ToolRigOptions = {}): Promise<ToolRig> {
  const rig = await openTools(options);
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9, wildcard: true });
  await rig.call("add_server", { domain: "a.test", ip: "::1", http_port: 8080, weight: 7 });
  await rig.call("set_server_state", { domain: "a.test", slot: 2, state: "drain", force: true });
  await rig.call("add_domain", { domain: "b.test", ip: "10.0.0.2" });
  return rig;
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: what was backed up comes back, on disk and in HAProxy, and can be taken back`, async () => {
    await using one = startBackend("one");
    await using rig = await openSite({ version });
    const orders = ordersOf(rig);
    await rig.call("add_server", { domain: "b.test", ip: "127.0.0.1", http_port: one.port });
    await rig.call("remove_server", { domain: "b.test", slot: 1, force: true });
    await Deno.writeTextFile(at(rig, "conf/domains.map"), "# mine\n", { append: true });
    const before = await rig.snapshot();
    const { content, files } = await orders.backup();
    assert.deepEqual(files, [
      "conf/domains.map",
      "conf/servers.json",
      "certs/crt-list.txt",
      "conf/haproxy.cfg",
      "data/audit.jsonl",
    ]);

    await rig.call("remove_domain", { domain: "b.test" });
    await rig.call("add_domain", { domain: "c.test", ip: "10.0.0.3" });
    await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 99 });
    const between = await rig.snapshot();
    const restored = await orders.restore(content);
    assert.deepEqual(await rig.snapshot(), before);
    assert.equal((await rig.get("b.test")).body, "one\n");
    assert.deepEqual(restored.files.map(({ file }) => file).sort(), [
      "conf/domains.map",
      "conf/servers.json",
      "conf/servers.state",
    ]);
    assert.match(restored.haproxy!.changed, /^2 domains and \d servers$/);
    assert.equal(restored.before, at(rig, "data/backup-before-restore.tar"));
    assert.equal((await Deno.stat(restored.before!)).mode! & 0o777, 0o600);

    await orders.restore(await Deno.readFile(restored.before!));
    assert.deepEqual(await rig.snapshot(), between);
  });
}

Deno.test("a dry run says what would go and come, and leaves disk and HAProxy as they were", async () => {
  await using rig = await openSite();
  const orders = ordersOf(rig);
  const { content } = await orders.backup();
  await rig.call("remove_domain", { domain: "b.test" });
  const before = await rig.snapshot();
  const { files, before: kept, haproxy } = await orders.restore(content, { dryRun: true });
  assert.deepEqual(files.find(({ file }) => file === "conf/domains.map")?.lines, [
    "+ b.test pool_2",
  ]);
  assert.deepEqual(files.find(({ file }) => file === "conf/servers.json")?.lines, [
    '+ pool_2.1 {"ip":"10.0.0.2","http_port":80,"weight":1,"state":"ready"}',
  ]);
  assert.deepEqual([kept, haproxy], [undefined, undefined]);
  assert.deepEqual(await rig.snapshot(), before);
  assert.equal(
    (await rig.context.files.names(at(rig, "data"))).includes("backup-before-restore.tar"),
    false,
  );
});

Deno.test("a restore of what is there already changes nothing, and HAProxy is compared all the same", async () => {
  await using rig = await openSite();
  const orders = ordersOf(rig);
  const { content } = await orders.backup();
  await rig.haproxy.runtime("set server pool_1/pool_1_1 weight 9");
  const { files, haproxy, before } = await orders.restore(content);
  assert.deepEqual([files, haproxy!.changed, before], [[], "1 server", undefined]);
});

Deno.test("secrets are in a backup only where they are asked for, and the audit log says so", async () => {
  await using rig = await openSite();
  const orders = ordersOf(rig);
  const secrets = {
    "conf/mcp-token.env": "MCP_TOKEN=0123456789abcdef0123456789abcdef\n",
    "conf/haproxy-mcp.env": "CF_Token=verysecret\n",
    "data/acme/account-0123456789abcdef.json": '{"key":"verysecret"}\n',
    "data/acme/acme.sh/a.test.key": "verysecret\n",
  };
  for (const [path, content] of Object.entries(secrets)) {
    await Deno.mkdir(join(at(rig, path), ".."), { recursive: true });
    await Deno.writeTextFile(at(rig, path), content, { mode: 0o600 });
  }
  const without = await orders.backup();
  assert.doesNotMatch(text(without.content), /PRIVATE KEY|verysecret|0123456789abcdef/);
  const all = await orders.backup(true);
  const { files } = unpackBackup(all.content, "a.tar");
  for (const [path, content] of Object.entries(secrets)) {
    assert.equal(text(files.get(path)), content);
  }
  assert.match(text(files.get("certs/default.pem")), /PRIVATE KEY/);
  const lines = (await audited(rig)).filter(({ tool }) => tool === "backup");
  assert.deepEqual(lines.map(({ args, code }) => [args, code]), [
    [{ file: "a.tar", with_secrets: false }, "OK"],
    [{ file: "a.tar", with_secrets: true }, "OK"],
  ]);

  // Gone, they come back; changed, too, and with their modes.
  for (const path of Object.keys(secrets)) await Deno.remove(at(rig, path));
  await Deno.remove(at(rig, "data/acme"), { recursive: true });
  const pem = await Deno.readTextFile(at(rig, "certs/default.pem"));
  await Deno.writeTextFile(at(rig, "certs/default.pem"), `${pem}\n`);
  await orders.restore(all.content);
  for (const [path, content] of Object.entries(secrets)) {
    assert.equal(await Deno.readTextFile(at(rig, path)), content);
    assert.equal((await Deno.stat(at(rig, path))).mode! & 0o777, 0o600);
  }
  assert.equal(await Deno.readTextFile(at(rig, "certs/default.pem")), pem);

  // What a backup lacks stays.
  await Deno.writeTextFile(
    at(rig, "conf/mcp-token.env"),
    "MCP_TOKEN=fedcba9876543210fedcba9876543210\n",
  );
  await orders.restore(without.content);
  assert.match(await Deno.readTextFile(at(rig, "conf/mcp-token.env")), /fedcba/);
});

Deno.test("haproxy.cfg goes with the secrets where it holds passwords", async () => {
  const edit = (config: string) =>
    `${config}\nuserlist people\n  user me insecure-password verysecret\n`;
  await using rig = await openSite({ edit });
  const orders = ordersOf(rig);
  const { files, leftOut, content } = await orders.backup();
  assert.equal(files.includes("conf/haproxy.cfg"), false);
  assert.match(leftOut[0], /^conf\/haproxy\.cfg: it holds passwords/);
  assert.doesNotMatch(text(content), /verysecret/);
  assert.equal((await orders.backup(true)).files.includes("conf/haproxy.cfg"), true);
});

Deno.test("where HAProxy can't take all of it the files are restored all the same, and the error says so", async () => {
  await using rig = await openTools({ maxSlots: 4, heal: false });
  await rig.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  const orders = ordersOf(rig);
  const { content } = await orders.backup();
  // A slot that the settings know, and haproxy.cfg does not.
  const servers = '{"pool_1":{"4":{"ip":"10.0.0.9"}}}';
  const wider = withFiles(content, (files) => files.set("conf/servers.json", bytes(servers)));
  const { code, message, hint } = await orders.refused(wider);
  assert.equal(code, "HAPROXY_REJECTED");
  assert.match(message, /^The files are restored\. .*pool_1_4/);
  assert.match(hint!, /kept as \S+\/data\/backup-before-restore\.tar/);
  assert.deepEqual(JSON.parse(await rig.file("conf/servers.json")).pool_1[4].ip, "10.0.0.9");
  const line = (await audited(rig)).at(-1);
  assert.equal(line.code, "HAPROXY_REJECTED");
  assert.ok(line.changed.some((change: string) => change.includes("+ pool_1.4")));
});

Deno.test("what can't be read is left out of a backup, and said; the state itself has to be readable", async () => {
  await using rig = await openSite();
  const orders = ordersOf(rig);
  await Deno.symlink("default.pem", at(rig, "certs/link.pem"));
  await Deno.rename(rig.haproxy.configFile, `${rig.haproxy.configFile}.real`);
  await Deno.symlink("haproxy.cfg.real", rig.haproxy.configFile);
  const { files, leftOut } = await orders.backup(true);
  assert.ok(files.includes("certs/default.pem"));
  assert.equal(files.includes("certs/link.pem"), false);
  assert.deepEqual(leftOut.map((clause) => clause.split(":")[0]), [
    "conf/haproxy.cfg",
    "certs/link.pem",
  ]);
  await Deno.rename(at(rig, "certs/crt-list.txt"), at(rig, "certs/list"));
  await Deno.symlink("list", at(rig, "certs/crt-list.txt"));
  await assert.rejects(orders.backup(), { code: "STATE_IO" });
});

Deno.test("certificates come back with their keys and lists, and HAProxy serves them", async () => {
  await using pki = await openPki();
  await using rig = await openSite();
  const orders = ordersOf(rig);
  await Deno.writeTextFile(at(rig, "certs/a.test.pem"), (await pki.issue(["a.test"])).pem);
  await rig.call("load_cert", { domain: "a.test" });
  const before = await filesOf(rig.haproxy.root);
  const { content } = await orders.backup(true);
  const serial = async () =>
    /Serial: (\w+)/.exec(await rig.haproxy.runtime(`show ssl cert ${at(rig, "certs/a.test.pem")}`))
      ?.[1];
  const then = await serial();

  await Deno.writeTextFile(at(rig, "certs/a.test.pem"), (await pki.issue(["a.test"])).pem);
  await rig.call("load_cert", { domain: "a.test" });
  assert.notEqual(await serial(), then);
  await orders.restore(content);
  assert.equal(await serial(), then);
  await rig.call("delete_cert", { domain: "a.test" });
  assert.equal(await serial(), undefined);
  await orders.restore(content);
  assert.equal(await serial(), then);
  assert.deepEqual(await filesOf(rig.haproxy.root), before);
});

Deno.test("a certificate that came later is on no list then; its file is left, and HAProxy serves it until its next reload", async () => {
  await using pki = await openPki();
  await using rig = await openSite();
  const orders = ordersOf(rig);
  const { content } = await orders.backup();
  await Deno.writeTextFile(at(rig, "certs/a.test.pem"), (await pki.issue(["a.test"])).pem);
  await rig.call("load_cert", { domain: "a.test" });
  const { files, unlisted } = await orders.restore(content);
  assert.deepEqual(files.map(({ file, gone }) => [file, gone]), [
    ["certs/crt-list.txt", false],
    ["conf/certificates.json", true],
  ]);
  assert.deepEqual(unlisted, ["a.test.pem"]);
  assert.ok(await Deno.stat(at(rig, "certs/a.test.pem")));
  assert.match(await rig.haproxy.runtime("show ssl cert"), /a\.test\.pem/);
  await rig.haproxy.reload();
  assert.doesNotMatch(await rig.haproxy.runtime("show ssl cert"), /a\.test\.pem/);
});

Deno.test("what is known of a certificate stays with the file that stays, or nobody would renew it", async () => {
  await using rig = await openSite();
  const orders = ordersOf(rig);
  const known = (ordered: string) => ({ client: "builtin", names: ["a.test"], ca: "x", ordered });
  const json = (ordered: string, more: string[] = []) =>
    `${
      JSON.stringify({ domains: [...more], certificates: { "a.test": known(ordered) } }, null, 2)
    }\n`;
  await Deno.writeTextFile(at(rig, "conf/certificates.json"), json("old"));
  const { content } = await orders.backup();
  await Deno.writeTextFile(at(rig, "conf/certificates.json"), json("new", ["default.test"]));
  await orders.restore(content);
  const restored = JSON.parse(await Deno.readTextFile(at(rig, "conf/certificates.json")));
  assert.deepEqual(restored, { domains: [], certificates: { "a.test": known("new") } });
});

Deno.test("a restore mends files that can't be read, and keeps them as they were", async () => {
  await using rig = await openSite({ heal: false });
  const orders = ordersOf(rig);
  const before = await rig.snapshot();
  const { content } = await orders.backup();
  await Deno.writeTextFile(at(rig, "conf/servers.json"), "{ broken");
  await Deno.remove(at(rig, "conf/domains.map"));
  await Deno.writeTextFile(at(rig, "data/journal/changes.jsonl"), "broken\n{}\nbroken\n");
  const { before: kept } = await orders.restore(content);
  assert.deepEqual(await rig.snapshot(), before);
  const { files } = unpackBackup(await Deno.readFile(kept!), "kept");
  assert.equal(text(files.get("conf/servers.json")), "{ broken");
  assert.equal(files.has("conf/domains.map"), false);
});

Deno.test("an audit log that is there goes on; on a new machine the backup's comes back", async () => {
  await using rig = await openSite();
  const orders = ordersOf(rig);
  const { content } = await orders.backup();
  const before = (await audited(rig)).length;
  const { kept } = await orders.restore(content);
  assert.deepEqual(kept, ["the audit log: the one here goes on"]);
  assert.equal((await audited(rig)).length, before + 1);
  await Deno.remove(at(rig, "data/audit.jsonl"));
  await orders.restore(content);
  const lines = await audited(rig);
  // That of the backup itself was written after it.
  assert.deepEqual([lines.length, lines.at(-1).tool], [before, "restore"]);
});

Deno.test("the audit log says what a restore changed, and what it was refused for", async () => {
  await using rig = await openSite();
  const orders = ordersOf(rig);
  const { content } = await orders.backup();
  await rig.call("remove_domain", { domain: "b.test" });
  await orders.restore(content);
  await orders.refused(bytes("garbage"));
  await orders.refused(content, { verdict: "declined" });
  await orders.restore(content, { dryRun: true, verdict: "preview" });
  const [done, garbage, declined, ...more] = (await audited(rig)).filter(({ tool }) =>
    tool === "restore"
  );
  assert.equal(done.code, "OK");
  assert.equal(done.transport, "shell");
  assert.ok(done.changed.includes("conf/domains.map: + b.test pool_2"));
  assert.deepEqual([garbage.code, garbage.args.file], ["STATE_CORRUPT", "a.tar"]);
  assert.deepEqual([declined.code, declined.answer], ["CANCELLED", "declined"]);
  assert.deepEqual(more, []);
});

Deno.test("a restore is refused with file and line where it does not fit, and nothing is changed", async () => {
  await using pki = await openPki();
  await using rig = await openSite();
  const orders = ordersOf(rig);
  const { content } = await orders.backup(true);
  await rig.call("remove_domain", { domain: "b.test" });
  const { pem } = await pki.issue(["x.test"]);
  const [other] = /-----BEGIN CERTIFICATE-----[^]*$/.exec((await pki.issue(["y.test"])).pem)!;
  const [key] = /^-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?-----END [A-Z ]*KEY-----\n/m.exec(pem)!;
  const put = (name: string, content: string) => (files: Map<string, Uint8Array>) =>
    void files.set(name, bytes(content));
  const listed = `${at(rig, "certs/default.pem")}\n${at(rig, "certs/x.test.pem")}\n`;
  const before = { ...await rig.snapshot(), ...await filesOf(rig.haproxy.root) };
  for (
    const [change, code, words] of [
      [
        put("conf/domains.map", "a.test pool_1\nb.test\n"),
        "STATE_CORRUPT",
        /a\.tar: conf\/domains\.map, line 2/,
      ],
      [
        put("conf/domains.map", "a.test pool_3\n"),
        "STATE_CORRUPT",
        /a\.test: pool_3 is not one of the pools pool_1 to pool_2/,
      ],
      [
        put("conf/servers.json", "{\n  pool_1: 1 }"),
        "STATE_CORRUPT",
        /a\.tar: conf\/servers\.json, line 2, column 3/,
      ],
      [
        put("conf/servers.json", '{"pool_1":{"4":{"ip":"10.0.0.1"}}}'),
        "STATE_CORRUPT",
        /"4" is not one of the slots 1 to 3/,
      ],
      [
        put("conf/certificates.json", '{"domains":[1]}'),
        "STATE_CORRUPT",
        /a\.tar: conf\/certificates\.json, domains\[0\]/,
      ],
      [
        put("certs/crt-list.txt", "x.pem [\n"),
        "STATE_CORRUPT",
        /a\.tar: certs\/crt-list\.txt, line 1/,
      ],
      [put("certs/crt-list.txt", "# none\n"), "STATE_CORRUPT", /names no certificate/],
      [
        put("certs/crt-list.txt", listed),
        "CERTIFICATE",
        /names x\.test\.pem, which is neither in the backup nor in certs/,
      ],
      [
        put("certs/default.pem", "garbage"),
        "CERTIFICATE",
        /a\.tar: certs\/default\.pem can't be used/,
      ],
      [
        put("certs/default.pem", key + other),
        "CERTIFICATE",
        /key does not belong to its first certificate/,
      ],
      [put("../outside", "x"), "STATE_CORRUPT", /"\.\.\/outside", which is no file of the agent's/],
      [put("certs/../../x.pem", "x"), "STATE_CORRUPT", /no file of the agent's/],
      [put("/etc/x.pem", "x"), "STATE_CORRUPT", /no file of the agent's/],
      [put("certs/.hidden.pem", "x"), "STATE_CORRUPT", /no file of the agent's/],
      [put("data/lock", "x"), "STATE_CORRUPT", /no file of the agent's/],
      [put("conf/servers.state", "x"), "STATE_CORRUPT", /no file of the agent's/],
      [(files) => files.delete("conf/domains.map"), "STATE_CORRUPT", /has no conf\/domains\.map/],
    ] as const satisfies readonly (readonly [
      (files: Map<string, Uint8Array>) => void,
      string,
      RegExp,
    ])[]
  ) {
    const error = await orders.refused(withFiles(content, change));
    assert.deepEqual([error.code, words.test(error.message)], [code, true], error.message);
    assert.doesNotMatch(error.message, /PRIVATE KEY/);
  }
  const elsewhere = await orders.refused(withFiles(content, () => {}, { root: "/srv/haproxy" }));
  assert.equal(elsewhere.code, "REFUSED");
  assert.match(elsewhere.message, /of HAPROXY_ROOT \/srv\/haproxy/);
  assert.deepEqual({ ...await rig.snapshot(), ...await filesOf(rig.haproxy.root) }, before);
});

Deno.test("without_certificates leaves them as they are, so a backup without keys fits a new machine", async () => {
  await using pki = await openPki();
  await using rig = await openSite();
  const orders = ordersOf(rig);
  await Deno.writeTextFile(at(rig, "certs/a.test.pem"), (await pki.issue(["a.test"])).pem);
  await rig.call("load_cert", { domain: "a.test" });
  const { content } = await orders.backup();
  await rig.call("delete_cert", { domain: "a.test" });
  await rig.call("remove_domain", { domain: "b.test" });
  assert.equal((await orders.refused(content)).code, "CERTIFICATE");
  const { kept } = await orders.restore(content, { withoutCertificates: true });
  assert.ok(kept.includes("the certificates: they stay as they are here"));
  assert.match(await rig.file("conf/domains.map"), /^b\.test pool_2$/m);
  assert.doesNotMatch(await rig.file("certs/crt-list.txt"), /a\.test/);
});

Deno.test("a backup that could not be restored says so when it is made", async () => {
  await using rig = await openSite();
  const orders = ordersOf(rig);
  assert.equal((await orders.backup(true)).problem, undefined);
  await Deno.writeTextFile(at(rig, "certs/default.pem"), "garbage");
  assert.match((await orders.backup(true)).problem!, /certs\/default\.pem can't be used/);
});

Deno.test("with HAProxy down a backup is made, a restore is refused, and with offline it is there for HAProxy's start", async () => {
  await using one = startBackend("one");
  await using rig = await openSite({ heal: false });
  const orders = ordersOf(rig);
  await rig.call("add_domain", { domain: "c.test", share_with: "b.test" });
  await rig.call("add_server", { domain: "c.test", ip: "127.0.0.1", http_port: one.port });
  await rig.call("remove_server", { domain: "c.test", slot: 1, force: true });
  const before = await rig.snapshot();
  const { content } = await orders.backup();
  await rig.call("remove_domain", { domain: "c.test" });
  await rig.call("remove_domain", { domain: "b.test" });
  const up = await orders.refused(content, { offline: true });
  assert.deepEqual([up.code, /HAProxy answers at/.test(up.message)], ["REFUSED", true]);
  await rig.haproxy.kill9();
  assert.ok((await orders.backup()).files.length > 0);
  const down = await orders.refused(content);
  assert.deepEqual([down.code, /--offline/.test(down.hint!)], ["HAPROXY_UNREACHABLE", true]);
  const { haproxy, files } = await orders.restore(content, { offline: true });
  assert.deepEqual([haproxy, files.length], [undefined, 3]);
  await rig.haproxy.start();
  assert.deepEqual(await rig.snapshot(), before);
  assert.equal((await rig.get("c.test")).body, "one\n");
});

Deno.test("a restore is refused where only reading is allowed, and without a word where MCP_CONFIRM=require", async () => {
  {
    await using rig = await openTools({ readOnly: true });
    const orders = ordersOf(rig);
    assert.equal((await orders.refused((await orders.backup()).content)).code, "REFUSED");
  }
  await using rig = await openTools({ confirm: "require" });
  const orders = ordersOf(rig);
  const { content } = await orders.backup();
  assert.equal((await orders.refused(content)).code, "CONFIRMATION_NEEDED");
  await orders.restore(content, { dryRun: true });
  await orders.restore(content, { confirmed: true });
  await orders.restore(content, { verdict: "accepted" });
});

Deno.test("a change on its way into the files is in a backup", async () => {
  await using rig = await openSite();
  // Together they are in the journal, and follow into the files later.
  await Promise.all(
    Array.from(
      { length: 5 },
      (_, i) => rig.call("add_domain", { domain: `d${i}.test`, share_with: "a.test" }),
    ),
  );
  const { files } = unpackBackup((await ordersOf(rig).backup()).content, "a.tar");
  assert.match(text(files.get("conf/domains.map")), /^d4\.test pool_1$/m);
});
