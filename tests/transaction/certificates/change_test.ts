/** A change of a certificate is whole or not at all: on disk, in HAProxy, and after whatever cut it off. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { faultProxy } from "../../support/fault_proxy.ts";
import { HAPROXY_VERSIONS, type HaproxyVersion, startHaproxy } from "../../support/haproxy.ts";
import { assertNoKey, type Issued, openPki, type Pki, served } from "../../support/pki.ts";
import {
  openMoreTools,
  openTools,
  snapshotFiles,
  type ToolRig,
  toolsSettings,
} from "../../support/tools.ts";

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

interface CutOff {
  /** The new certificate's PEM; without one it is to go. */
  readonly pem?: string;
  readonly todo?: "carry out" | "undo";
  /** Which of the files had got their new text already. */
  readonly moved?: readonly ("pem" | "list")[];
}

/** The files as a process leaves them that was killed in the middle of a change of a.test to a.test and *.a.test. */
async function cutOff(
  rig: ToolRig,
  { pem: next, todo = "carry out", moved = [] }: CutOff,
): Promise<void> {
  const { root } = rig.haproxy;
  const file = join(root, "certs/a.test.pem"), list = join(root, "certs/crt-list.txt");
  const names = ["a.test", "*.a.test"];
  const staged = join(root, `certs/.a.test.pem.${crypto.randomUUID()}.tmp`);
  if (next !== undefined) {
    await Deno.writeTextFile(moved.includes("pem") ? file : staged, next, { mode: 0o600 });
  }
  if (moved.includes("list")) {
    const without = (await crtList(rig)).replace(/^.*a\.test\.pem.*\n/m, "");
    await Deno.writeTextFile(
      list,
      next === undefined ? without : `${without}${file} ${names.join(" ")}\n`,
    );
  }
  const digest = createHash("sha256").update(next ?? "").digest("hex");
  const entry = {
    tool: "haproxy_load_cert",
    todo,
    file,
    path: file,
    listed: next === undefined ? null : { names, complete: false, record: null },
    pem: next === undefined ? null : { staged, sha256: digest },
  };
  await Deno.writeTextFile(join(root, "data/journal/certificate.json"), JSON.stringify(entry));
}

/** a.test loaded, and the tools closed. */
async function openLoaded(pki: Pki) {
  const rig = await openTools();
  const old = await pki.issue(["a.test"]);
  await put(rig, "a.test.pem", old.pem);
  await rig.call("load_cert", { domain: "a.test" });
  await rig.context.close();
  return { rig, old, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

const leftovers = async ({ haproxy: { root } }: ToolRig) =>
  (await Promise.all(
    ["certs", "conf", "data/journal"].map((folder) =>
      Array.fromAsync(Deno.readDir(join(root, folder)))
    ),
  )).flat().map(({ name }) => name).filter((name) =>
    name.endsWith(".tmp") || name === "certificate.json"
  );

for (const moved of [[], ["pem"], ["pem", "list"]] as const) {
  const when = moved.length === 0 ? "before the first rename" : `behind that of ${moved.at(-1)}`;
  Deno.test(`a change that was cut off ${when} is carried out by whoever comes next`, async () => {
    await using pki = await openPki();
    await using set = await openLoaded(pki);
    const { rig } = set;
    const next = await pki.issue(["a.test", "*.a.test"]);
    await cutOff(rig, { pem: next.pem, moved });
    await rig.reopen();
    assert.deepEqual(await shown(rig, "b.a.test"), [next.fingerprint]);
    assert.equal(await rig.file("certs/a.test.pem"), next.pem);
    assert.match(await crtList(rig), / a\.test \*\.a\.test\n$/);
    assert.equal((await running(rig)).match(/a\.test\.pem:/g)?.length, 1);
    assert.deepEqual(await leftovers(rig), []);
  });
}

for (const moved of [[], ["list"]] as const) {
  Deno.test(`a deletion that was cut off ${moved.length ? "behind" : "before"} the crt-list's rename is carried out`, async () => {
    await using pki = await openPki();
    await using set = await openLoaded(pki);
    const { rig } = set;
    await cutOff(rig, { moved });
    await rig.reopen();
    assert.doesNotMatch(await crtList(rig) + await running(rig), /a\.test\.pem/);
    assert.deepEqual(await leftovers(rig), []);
    await assert.rejects(rig.file("certs/a.test.pem"), Deno.errors.NotFound);
    await rig.haproxy.kill9();
    await rig.haproxy.start();
  });
}

Deno.test("what a person wrote into the lists behind a crash stays", async () => {
  await using pki = await openPki();
  await using set = await openLoaded(pki);
  const { rig } = set;
  const next = await pki.issue(["a.test", "*.a.test"]);
  await cutOff(rig, { pem: next.pem });
  const other = await pki.issue(["b.test"]);
  await put(rig, "b.test.pem", other.pem);
  const line = `${join(rig.haproxy.root, "certs/b.test.pem")} b.test\n`;
  const list = join(rig.haproxy.root, "certs/crt-list.txt");
  await Deno.writeTextFile(list, `# mine\n${line}`, { append: true });
  await rig.reopen();
  assert.ok((await crtList(rig)).includes(`# mine\n${line}`));
  assert.deepEqual(await shown(rig, "c.a.test"), [next.fingerprint]);
  assert.deepEqual(await shown(rig, "b.test"), [other.fingerprint]);
});

Deno.test("a change that was cut off and whose new PEM is gone, or that HAProxy refuses, is taken back", async () => {
  await using pki = await openPki();
  await using set = await openLoaded(pki);
  const { rig, old } = set;
  const before = [await snapshotFiles(rig.haproxy), await running(rig)];
  const next = await pki.issue(["a.test"]);
  for (const pem of [next.certificate + old.key, undefined]) {
    await cutOff(rig, { pem: pem ?? next.pem });
    if (pem === undefined) {
      for (const name of await leftovers(rig)) {
        if (name.endsWith(".tmp")) await Deno.remove(join(rig.haproxy.root, "certs", name));
      }
    }
    await rig.reopen();
    assert.deepEqual([await snapshotFiles(rig.haproxy), await running(rig)], before);
    assert.deepEqual(await leftovers(rig), []);
    await rig.context.close();
  }
  await rig.reopen();
});

Deno.test("a journal that can't be read stops neither healing nor the domains, and health tells", async () => {
  await using pki = await openPki();
  await using set = await openLoaded(pki);
  const { rig } = set;
  const journal = join(rig.haproxy.root, "data/journal/certificate.json");
  await Deno.writeTextFile(journal, "{");
  await rig.reopen();
  await rig.call("add_domain", { domain: "x.test", ip: "127.0.0.1" });
  const map = join(rig.haproxy.root, "conf/domains.map");
  await rig.haproxy.runtime(`clear map ${map}`);
  const error = await rig.refused("restore_state");
  assert.equal(error.code, "STATE_CORRUPT");
  assert.match(await rig.haproxy.runtime(`show map ${map}`), /x\.test pool_1/);
  const { text, structured } = await rig.call("health");
  assert.equal(structured.status, "degraded");
  assert.match(text, /certificates +degraded .*certificate\.json/);
  assert.equal((await rig.refused("load_cert", { domain: "a.test" })).code, "STATE_CORRUPT");
  await Deno.remove(journal);
  await rig.call("load_cert", { domain: "a.test" });
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
