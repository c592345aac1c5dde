/** Where a certificate lies, and which of the lists names it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openPki } from "../../support/pki.ts";
import { openTools } from "../../support/tools.ts";
import { crtList, put, shown } from "./looking.ts";

Deno.test("a domain that only certificates.json names gets its line of the crt-list once HAProxy serves it", async () => {
  await using pki = await openPki();
  await using rig = await openTools({ heal: false });
  const { pem, fingerprint } = await pki.issue(["a.test"]);
  await put(rig, "a.test.pem", pem);
  await Deno.writeTextFile(
    join(rig.haproxy.root, "conf/certificates.json"),
    '{"domains": ["a.test"]}',
  );
  await rig.call("restore_state");
  assert.match(await crtList(rig), /\/a\.test\.pem\n$/);
  await rig.haproxy.reload();
  assert.deepEqual(await shown(rig, "a.test"), [fingerprint]);
});

Deno.test("one that only certificates.json names and that can't be read keeps nothing else from being restored", async () => {
  await using rig = await openTools({ heal: false });
  await put(rig, "bad.test.pem", "garbage\n");
  const json = join(rig.haproxy.root, "conf/certificates.json");
  await Deno.writeTextFile(json, '{"domains": ["bad.test"]}');
  const before = await crtList(rig);
  await rig.call("add_domain", { domain: "x.test", ip: "127.0.0.1" });
  const map = join(rig.haproxy.root, "conf/domains.map");
  await rig.haproxy.runtime(`clear map ${map}`);
  assert.equal((await rig.refused("restore_state")).code, "CERTIFICATE");
  assert.match(await rig.haproxy.runtime(`show map ${map}`), /x\.test pool_1/);
  assert.equal(await crtList(rig), before);
});

Deno.test("a certificate lies where HAProxy sees the others, and of two folders nobody can tell", async () => {
  await using pki = await openPki();
  await using rig = await openTools();
  const { root } = rig.haproxy;
  const elsewhere = join(root, "mounted");
  await Deno.mkdir(elsewhere);
  const list = join(root, "certs/crt-list.txt");
  await Deno.copyFile(join(root, "certs/default.pem"), join(elsewhere, "default.pem"));
  await Deno.writeTextFile(list, `${elsewhere}/default.pem\n`);
  await rig.haproxy.reload();
  const { pem, fingerprint } = await pki.issue(["a.test"]);
  await put(rig, "a.test.pem", pem);
  await rig.call("load_cert", { domain: "a.test" });
  assert.equal(await crtList(rig), `${elsewhere}/default.pem\n${elsewhere}/a.test.pem a.test\n`);
  assert.deepEqual(await shown(rig, "a.test"), [fingerprint]);

  await Deno.writeTextFile(list, `/third/other.pem other.test\n`, { append: true });
  await put(rig, "b.test.pem", (await pki.issue(["b.test"])).pem);
  assert.equal((await rig.refused("load_cert", { domain: "b.test" })).code, "CONFLICT");
});

Deno.test("two files of one name are told apart by nobody, so neither is touched", async () => {
  await using pki = await openPki();
  await using rig = await openTools();
  const { pem } = await pki.issue(["a.test"]);
  await put(rig, "a.test.pem", pem);
  await rig.call("load_cert", { domain: "a.test" });
  const list = join(rig.haproxy.root, "certs/crt-list.txt");
  await Deno.writeTextFile(list, "/other/a.test.pem b.test\n", { append: true });
  const before = await crtList(rig);
  for (const name of ["delete_cert", "load_cert"]) {
    const { code, message } = await rig.refused(name, { domain: "a.test" });
    assert.equal(code, "CERTIFICATE", message);
    assert.match(message, /lines \d, \d: these are different files/);
  }
  assert.equal(await crtList(rig), before);
});

Deno.test("where a file's mode kept HAProxy's group in, load_cert says that it does so no more", async () => {
  await using pki = await openPki();
  await using rig = await openTools();
  const { pem } = await pki.issue(["a.test"]);
  await put(rig, "a.test.pem", pem);
  const file = join(rig.haproxy.root, "certs/a.test.pem");
  await Deno.chmod(file, 0o640);
  const { text } = await rig.call("load_cert", { domain: "a.test" });
  assert.match(text, /had mode 0640 and has 0600 now/);
  await Deno.chmod(join(rig.haproxy.root, "certs"), 0o2750);
  await rig.call("load_cert", { domain: "a.test" });
  assert.equal((await Deno.stat(file)).mode! & 0o777, 0o640);
});
