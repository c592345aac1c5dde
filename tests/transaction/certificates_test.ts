/** A change of a certificate is whole or not at all: on disk, in HAProxy, and after whatever cut it off. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { faultProxy } from "../support/fault_proxy.ts";
import { HAPROXY_VERSIONS, type HaproxyVersion, startHaproxy } from "../support/haproxy.ts";
import { assertNoKey, type Issued, openPki, type Pki, served } from "../support/pki.ts";
import {
  openMoreTools,
  openTools,
  snapshotFiles,
  type ToolRig,
  toolsSettings,
} from "../support/tools.ts";

const put = (rig: ToolRig, name: string, text: string) =>
  Deno.writeTextFile(join(rig.haproxy.root, "certs", name), text, { mode: 0o600 });
const crtList = (rig: ToolRig) => Deno.readTextFile(join(rig.haproxy.root, "certs/crt-list.txt"));
const shown = (rig: ToolRig, name: string) => served(rig.haproxy.options.httpsPort, name);
/** What HAProxy has of certificates, open transactions included. */
const running = async ({ haproxy }: ToolRig) =>
  [
    await haproxy.runtime("show ssl cert"),
    await haproxy.runtime(`show ssl crt-list -n ${join(haproxy.root, "certs/crt-list.txt")}`),
  ].join("\n");

async function authority(pki: Pki): Promise<Issued> {
  return await pki.issue(["authority.test"]);
}

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

async function behindProxy(version: HaproxyVersion = "3.2") {
  await using starting = new AsyncDisposableStack();
  const haproxy = starting.use(await startHaproxy({ version, pools: 2, slots: 3 }));
  const proxy = starting.use(faultProxy(haproxy.options.api));
  const settings = { ...toolsSettings(haproxy).haproxy, port: proxy.port };
  const rig = starting.use(await openMoreTools(haproxy, { haproxy: settings, heal: false }));
  const parts = starting.move();
  return { haproxy, proxy, rig, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: whichever command HAProxy refuses, the old certificate is served and disk unchanged`, async () => {
    await using pki = await openPki();
    await using set = await behindProxy(version);
    const { haproxy, proxy, rig } = set;
    const old = await pki.issue(["a.test"]);
    await put(rig, "a.test.pem", old.pem);
    await rig.call("load_cert", { domain: "a.test" });
    const before = await running(rig);
    const next = await pki.issue(["a.test", "*.a.test"]);
    await put(rig, "a.test.pem", next.pem);
    const files = await snapshotFiles(haproxy);
    // The file of a person is the one thing that is new: HAProxy is to stay with what it had.
    for (
      const refused of ["set ssl cert", "commit ssl cert", "add ssl crt-list", "del ssl crt-list"]
    ) {
      let once = true;
      proxy.decide = (line) => once && line.startsWith(refused) ? (once = false, "refuse") : "pass";
      const { code } = await rig.refused("load_cert", { domain: "a.test" });
      assert.match(code, /^(CERTIFICATE|HAPROXY_REJECTED)$/, refused);
      assert.equal(once, false, refused);
      assert.deepEqual(await snapshotFiles(haproxy), files, refused);
      assert.doesNotMatch(await running(rig), /# transaction/, refused);
    }
    proxy.decide = () => "pass";
    await rig.call("load_cert", { domain: "a.test" });
    assert.deepEqual(await shown(rig, "b.a.test"), [next.fingerprint]);
    assert.notEqual(await running(rig), before);
  });
}

/** The journal as a process leaves it that was killed, with the change staged and not carried out. */
async function cutOff(
  rig: ToolRig,
  next: Issued,
  todo: "carry out" | "undo",
  moved: readonly string[] = [],
) {
  const { root } = rig.haproxy;
  const pem = join(root, "certs/a.test.pem"), list = join(root, "certs/crt-list.txt");
  const json = join(root, "conf/certificates.json");
  const texts = {
    [pem]: next.pem,
    [list]: `${(await crtList(rig)).replace(/^.*a\.test\.pem.*\n/m, "")}${pem} a.test *.a.test\n`,
    [json]: `${JSON.stringify({ domains: ["a.test"] })}\n`,
  };
  const steps = [];
  for (const [file, text] of Object.entries(texts)) {
    const staged = `${file.replace(/([^/]+)$/, ".$1")}.${crypto.randomUUID()}.tmp`;
    await Deno.writeTextFile(moved.some((name) => file.endsWith(name)) ? file : staged, text, {
      mode: 0o600,
    });
    steps.push({ file, staged });
  }
  const entry = { tool: "haproxy_load_cert", todo, file: pem, path: pem, steps };
  await Deno.writeTextFile(join(root, "data/journal/certificate.json"), JSON.stringify(entry));
}

const leftovers = async ({ haproxy: { root } }: ToolRig) =>
  (await Promise.all(
    ["certs", "conf", "data/journal"].map((folder) =>
      Array.fromAsync(Deno.readDir(join(root, folder)))
    ),
  )).flat().map(({ name }) => name).filter((name) =>
    name.endsWith(".tmp") || name === "certificate.json"
  );

for (const moved of [[], ["a.test.pem"], ["a.test.pem", "crt-list.txt"]]) {
  const when = moved.length === 0 ? "before the first rename" : `behind that of ${moved.at(-1)}`;
  Deno.test(`a change that was cut off ${when} is carried out by whoever comes next`, async () => {
    await using pki = await openPki();
    await using rig = await openTools();
    const old = await pki.issue(["a.test"]);
    await put(rig, "a.test.pem", old.pem);
    await rig.call("load_cert", { domain: "a.test" });
    await rig.context.close();
    const next = await pki.issue(["a.test", "*.a.test"]);
    await cutOff(rig, next, "carry out", moved);
    await rig.reopen();
    assert.deepEqual(await shown(rig, "b.a.test"), [next.fingerprint]);
    assert.equal(await rig.file("certs/a.test.pem"), next.pem);
    assert.match(await crtList(rig), / a\.test \*\.a\.test\n$/);
    assert.equal((await running(rig)).match(/a\.test\.pem:/g)?.length, 1);
    assert.deepEqual(await leftovers(rig), []);
  });
}

Deno.test("a change that was cut off and that HAProxy refuses is taken back", async () => {
  await using pki = await openPki();
  await using rig = await openTools();
  const old = await pki.issue(["a.test"]);
  await put(rig, "a.test.pem", old.pem);
  await rig.call("load_cert", { domain: "a.test" });
  const before = [await snapshotFiles(rig.haproxy), await running(rig)];
  await rig.context.close();
  const next = await pki.issue(["a.test"]);
  await cutOff(rig, { ...next, pem: next.certificate + old.key }, "carry out");
  await rig.reopen();
  assert.deepEqual([await snapshotFiles(rig.haproxy), await running(rig)], before);
  assert.deepEqual(await leftovers(rig), []);
});

Deno.test("what HAProxy holds of a failed change is taken out of it once it answers again", async () => {
  await using pki = await openPki();
  await using set = await behindProxy();
  const { proxy, rig } = set;
  const before = await running(rig);
  const next = await pki.issue(["a.test"]);
  await put(rig, "a.test.pem", next.pem);
  const files = await snapshotFiles(set.haproxy);
  let silent = false;
  proxy.decide = (line) => {
    silent ||= line.startsWith("add ssl crt-list");
    return silent ? (line.startsWith("add") ? "cut after" : "cut") : "pass";
  };
  const { code } = await rig.refused("load_cert", { domain: "a.test" });
  assert.equal(code, "HAPROXY_UNREACHABLE");
  assert.deepEqual(await snapshotFiles(set.haproxy), files);
  assert.notEqual(await running(rig), before);
  proxy.decide = () => "pass";
  await rig.context.transactions.finish();
  assert.equal(await running(rig), before);
  assert.deepEqual(await leftovers(rig), []);
});

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
