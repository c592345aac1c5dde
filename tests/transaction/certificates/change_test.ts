/** A change of a certificate as users make it: loaded, replaced, deleted, and refused where it cannot be served. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { HAPROXY_VERSIONS } from "../../support/haproxy.ts";
import { assertNoKey, openPki, type Pki } from "../../support/pki.ts";
import { openMoreTools, openTools, snapshotFiles } from "../../support/tools.ts";
import { authority, crtList, put, running, shown } from "./looking.ts";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: load_cert serves a file that was dropped in, and writes it back in order`, async () => {
    await using pki = await openPki();
    await using rig = await openTools({ version });
    const ca = await authority(pki);
    const { pem, key, certificate, fingerprint } = await pki.issue(["a.test", "*.a.test"], {
      by: ca,
    });
    // Blank lines and another order: HAProxy would drop the chain of this one without a word.
    await put(rig, "a.test.pem", `${ca.certificate}\n\n\n${certificate}\n\n${key}\n`);
    await Deno.chmod(join(rig.haproxy.root, "certs/a.test.pem"), 0o644);
    const { structured } = await rig.call("load_cert", { domain: "A.test." });
    assert.equal(structured.loaded, true);
    assert.equal(structured.replaced, false);
    for (const name of ["a.test", "www.a.test"]) {
      assert.deepEqual(await shown(rig, name), [fingerprint, ca.fingerprint]);
    }
    assert.equal(await rig.file("certs/a.test.pem"), pem);
    assert.equal(
      (await Deno.stat(join(rig.haproxy.root, "certs/a.test.pem"))).mode! & 0o777,
      0o600,
    );
    const path = join(rig.haproxy.root, "certs/a.test.pem");
    assert.match(await crtList(rig), new RegExp(`\n${path} a\\.test \\*\\.a\\.test\n$`));
    assert.deepEqual(JSON.parse(await rig.file("conf/certificates.json")), {
      domains: ["a.test"],
      certificates: { "a.test": { client: "none", names: ["a.test", "*.a.test"] } },
    });
    await rig.haproxy.kill9();
    await rig.haproxy.start();
    assert.deepEqual(await shown(rig, "www.a.test"), [fingerprint, ca.fingerprint]);
  });

  Deno.test(`${version}: delete_cert takes it out of HAProxy and off the disk`, async () => {
    await using pki = await openPki();
    await using rig = await openTools({ version });
    const before = [await snapshotFiles(rig.haproxy), await running(rig)];
    const { pem } = await pki.issue(["a.test"]);
    await put(rig, "a.test.pem", pem);
    await rig.call("load_cert", { domain: "a.test" });
    const dry = await rig.call("delete_cert", { domain: "a.test", dry_run: true });
    assert.match(dry.text, /del ssl crt-list .*\n.*del ssl cert /);
    const { structured } = await rig.call("delete_cert", { domain: "a.test" });
    assert.equal((structured.deleted_from as string[]).length, 4);
    assert.deepEqual(await running(rig), before[1]);
    const { "conf/certificates.json": json, ...files } = await snapshotFiles(rig.haproxy);
    assert.deepEqual(JSON.parse(json), { domains: [], certificates: {} });
    assert.deepEqual(files, before[0]);
    const { code } = await rig.refused("delete_cert", { domain: "a.test" });
    assert.equal(code, "NOT_FOUND");
  });

  Deno.test(`${version}: the certificate that answers for unknown names can't be deleted`, async () => {
    await using pki = await openPki();
    await using rig = await openTools({ version });
    for (const domain of ["default", "a.test"]) {
      if (domain === "a.test") {
        const { pem } = await pki.issue(["a.test"]);
        await put(rig, "a.test.pem", pem);
        const list = join(rig.haproxy.root, "certs/crt-list.txt");
        await Deno.writeTextFile(list, `${join(rig.haproxy.root, "certs/a.test.pem")}\n`);
        await rig.haproxy.reload();
      }
      const before = [await snapshotFiles(rig.haproxy), await running(rig)];
      const { code, message } = await rig.refused("delete_cert", { domain });
      assert.equal(code, "REFUSED", message);
      assert.deepEqual([await snapshotFiles(rig.haproxy), await running(rig)], before);
    }
  });

  Deno.test(`${version}: a certificate of other names gets another line, and the old one goes`, async () => {
    await using pki = await openPki();
    await using rig = await openTools({ version });
    const first = await pki.issue(["a.test"]);
    await put(rig, "a.test.pem", first.pem);
    await rig.call("load_cert", { domain: "a.test" });
    const second = await pki.issue(["a.test", "*.a.test"]);
    await put(rig, "a.test.pem", second.pem);
    const { structured } = await rig.call("load_cert", { domain: "a.test" });
    assert.equal(structured.replaced, true);
    assert.deepEqual(await shown(rig, "x.a.test"), [second.fingerprint]);
    assert.equal((await crtList(rig)).match(/a\.test\.pem/g)?.length, 1);
    assert.equal((await running(rig)).match(/a\.test\.pem:/g)?.length, 1);
  });
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: an Ed25519 certificate is loaded, and told from another one`, async () => {
    await using pki = await openPki();
    await using rig = await openTools({ version });
    for (const _ of [1, 2]) {
      const { pem, fingerprint } = await pki.issue(["a.test"], { key: "ed25519" });
      await put(rig, "a.test.pem", pem);
      await rig.call("load_cert", { domain: "a.test" });
      assert.deepEqual(await shown(rig, "a.test"), [fingerprint]);
    }
    const { structured } = await rig.call("cert_info", { domain: "a.test" });
    assert.equal(structured.loaded, true);
    assert.equal((await rig.call("restore_state")).structured.changed_count, 0);
  });

  Deno.test(`${version}: loading, listing and restoring at once, from two agents, get in nobody's way`, async () => {
    await using pki = await openPki();
    await using rig = await openTools({ version });
    await using other = await openMoreTools(rig.haproxy);
    const domains = ["a.test", "b.test", "c.test"];
    for (const domain of domains) {
      await put(rig, `${domain}.pem`, (await pki.issue([domain])).pem);
    }
    const rounds = Array.from({ length: 15 }, (_, i) => i);
    await Promise.all([rig, other].flatMap((tools) => [
      ...domains.map(async (domain) => {
        for (const _ of rounds) await tools.call("load_cert", { domain });
      }),
      ...["list_certs", "health", "restore_state"].map(async (name) => {
        for (const _ of rounds) {
          const { text } = await tools.call(name);
          assert.doesNotMatch(text, /locked|not seen|can't|differ/i, `${name}: ${text}`);
        }
      }),
    ]));
    assert.doesNotMatch(await rig.haproxy.runtime("show ssl cert"), /locked/);
  });
}

Deno.test("many who look at once do not keep a change from its connection", async () => {
  await using pki = await openPki();
  await using rig = await openTools();
  await put(rig, "a.test.pem", (await pki.issue(["a.test"])).pem);
  const looks = Array.from({ length: 12 }, () => rig.call("health"));
  const lists = Array.from({ length: 12 }, () => rig.call("list_certs"));
  await rig.call("load_cert", { domain: "a.test" });
  for (const { text } of await Promise.all([...looks, ...lists])) {
    assert.doesNotMatch(text, /did not answer|was held|not seen/, text);
  }
});

Deno.test("a crt-list that was lost or emptied is said to be, and no new one is begun", async () => {
  await using pki = await openPki();
  await using rig = await openTools();
  const list = join(rig.haproxy.root, "certs/crt-list.txt");
  await put(rig, "a.test.pem", (await pki.issue(["a.test"])).pem);
  for (const lose of [() => Deno.writeTextFile(list, "# none\n"), () => Deno.remove(list)]) {
    await lose();
    const before = await snapshotFiles(rig.haproxy);
    for (const name of ["load_cert", "delete_cert"]) {
      const { code, message } = await rig.refused(name, { domain: "a.test" });
      assert.equal(code, "STATE_CORRUPT");
      assert.match(message, /crt-list\.txt is missing or has no line/);
    }
    assert.equal((await rig.refused("restore_state")).code, "STATE_CORRUPT");
    assert.equal((await rig.call("health")).structured.status, "degraded");
    assert.deepEqual(await snapshotFiles(rig.haproxy), before);
  }
});

Deno.test("while somebody has a transaction open, nothing is deleted, and theirs stays open", async () => {
  await using pki = await openPki();
  await using rig = await openTools();
  const { pem } = await pki.issue(["a.test"]);
  await put(rig, "a.test.pem", pem);
  await rig.call("load_cert", { domain: "a.test" });
  const file = join(rig.haproxy.root, "certs/default.pem");
  const theirs = await Deno.readTextFile(file);
  await rig.haproxy.runtime(`set ssl cert ${file} <<\n${theirs}`);
  const { code } = await rig.refused("delete_cert", { domain: "a.test" });
  assert.equal(code, "CONFLICT");
  assert.match(await rig.haproxy.runtime("show ssl cert"), /\*.*default\.pem/);
});

Deno.test("a line that a person wrote stays as it is", async () => {
  await using pki = await openPki();
  await using rig = await openTools();
  const list = join(rig.haproxy.root, "certs/crt-list.txt");
  const mine = `${join(rig.haproxy.root, "certs/a.test.pem")} [ssl-min-ver TLSv1.3] a.test`;
  const { pem } = await pki.issue(["a.test", "b.test"]);
  await put(rig, "a.test.pem", pem);
  await Deno.writeTextFile(list, `# by hand\n${mine}\n`, { append: true });
  const before = await crtList(rig);
  await rig.call("load_cert", { domain: "a.test" });
  assert.equal(await crtList(rig), before);
  assert.match(await running(rig), /a\.test\.pem:\d+ \[ssl-min-ver TLSv1\.3\] a\.test\n/);
});

/** What each answers, and what it must say. */
const UNUSABLE: readonly [string, (pki: Pki) => Promise<string>, RegExp][] = [
  ["garbage", () => Promise.resolve("garbage\n"), /no certificate/],
  ["a truncated file", async (pki) => (await pki.issue(["a.test"])).pem.slice(0, -60), /no end/],
  [
    "another key",
    async (pki) => (await pki.issue(["a.test"])).certificate + (await pki.issue(["a.test"])).key,
    /key/,
  ],
  ["another name", async (pki) => (await pki.issue(["b.test"])).pem, /b\.test/],
];

Deno.test("a file that can't be used is refused, and what was served is served on", async () => {
  await using pki = await openPki();
  await using rig = await openTools();
  const old = await pki.issue(["a.test"]);
  await put(rig, "a.test.pem", old.pem);
  await rig.call("load_cert", { domain: "a.test" });
  const before = await running(rig);
  for (const [what, make, says] of UNUSABLE) {
    const text = await make(pki);
    await put(rig, "a.test.pem", text);
    const files = await snapshotFiles(rig.haproxy);
    const error = await rig.refused("load_cert", { domain: "a.test" });
    assert.equal(error.code, "CERTIFICATE", what);
    assert.match(error.message, says, what);
    assertNoKey(JSON.stringify(error), text);
    assert.deepEqual(await snapshotFiles(rig.haproxy), files, what);
    assert.equal(await running(rig), before, what);
    assert.deepEqual(await shown(rig, "a.test"), [old.fingerprint], what);
  }
});
