/** What is in a backup, and what is not. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { unpackBackup } from "../../lib/backup/archive.ts";
import { ordersOf, text } from "./orders.ts";
import { at, audited, openSite } from "./site.ts";

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

Deno.test("a backup that could not be restored says so when it is made", async () => {
  await using rig = await openSite();
  const orders = ordersOf(rig);
  assert.equal((await orders.backup(true)).problem, undefined);
  await Deno.writeTextFile(at(rig, "certs/default.pem"), "garbage");
  assert.match((await orders.backup(true)).problem!, /certs\/default\.pem can't be used/);
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
