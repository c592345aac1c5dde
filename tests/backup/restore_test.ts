/** `backup` and `restore`, as their orders reach the tools room. */
import assert from "node:assert/strict";
import { unpackBackup } from "../../lib/backup/archive.ts";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { openPki } from "../support/pki.ts";
import { openTools } from "../support/tools.ts";
import { bytes, filesOf, ordersOf, text, withFiles } from "./orders.ts";
import { at, audited, openSite } from "./site.ts";

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
