/** A change of a certificate is whole or not at all: on disk, in HAProxy, and after whatever cut it off. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { faultProxy } from "../../support/fault_proxy.ts";
import { HAPROXY_VERSIONS, type HaproxyVersion, startHaproxy } from "../../support/haproxy.ts";
import { openPki, type Pki } from "../../support/pki.ts";
import {
  openMoreTools,
  openTools,
  snapshotFiles,
  type ToolRig,
  toolsSettings,
} from "../../support/tools.ts";
import { crtList, put, running, shown } from "./looking.ts";

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
