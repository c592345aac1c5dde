/** Files that are replaced together: whole or not at all, whatever is cut off. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { readSettings } from "../../lib/config.ts";
import type { AgentError } from "../../lib/errors.ts";
import type { Mode, RootFiles } from "../../lib/sandbox/files.ts";
import { replacement } from "../../lib/transaction/replacement.ts";
import { startHaproxy } from "../support/haproxy.ts";
import { openMoreTools, runningMap } from "../support/tools.ts";
import { AGENT, installedRoot, type TestRoot, testRoot } from "../state/root.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

async function open(root: TestRoot) {
  const { files: paths } = readSettings({ HAPROXY_ROOT: root.root });
  await Deno.mkdir(join(root.root, "data/journal"), { recursive: true });
  await root.write("conf/domains.map", "old map\n");
  await root.write("conf/servers.json", "old servers\n");
  await root.write("conf/certificates.json", "old certificates\n");
  await root.write("data/journal/changes.jsonl", "a change\n");
  await root.write("data/journal/certificate.json", "a certificate's\n");
  const changes = [
    { file: paths.servers, text: "new servers\n", lines: [] },
    { file: paths.map, text: new TextEncoder().encode("new map\n"), lines: [] },
    { file: join(paths.acmeFolder, "acme.sh/new"), text: "new file\n", mode: 0o600, lines: [] },
    { file: paths.certificates, text: null, lines: [] },
  ];
  return { paths, changes, replacing: replacement(root.files, paths) };
}

const text = (root: TestRoot, path: string) =>
  Deno.readTextFile(join(root.root, path)).catch(() => undefined);

async function isOld(root: TestRoot): Promise<void> {
  assert.equal(await text(root, "conf/domains.map"), "old map\n");
  assert.equal(await text(root, "conf/servers.json"), "old servers\n");
  assert.equal(await text(root, "conf/certificates.json"), "old certificates\n");
  assert.equal(await text(root, "data/journal/changes.jsonl"), "a change\n");
}

async function isNew(root: TestRoot): Promise<void> {
  assert.equal(await text(root, "conf/domains.map"), "new map\n");
  assert.equal(await text(root, "conf/servers.json"), "new servers\n");
  assert.equal(await text(root, "conf/certificates.json"), undefined);
  assert.equal(await text(root, "data/acme/acme.sh/new"), "new file\n");
  for (const name of ["changes.jsonl", "certificate.json", "restore.json"]) {
    assert.equal(await text(root, `data/journal/${name}`), undefined, name);
  }
  assert.deepEqual(await root.names("conf"), ["domains.map", "servers.json"]);
}

Deno.test("carryOut replaces all, removes what goes, and empties the journals", async () => {
  await using root = await testRoot();
  const { replacing, changes } = await open(root);
  await replacing.carryOut(changes);
  await isNew(root);
  assert.equal(replacing.pending, false);
});

Deno.test({
  name:
    "what is root's alone follows outside of the journal, which the agent has to be able to finish",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using root = await installedRoot();
    const { files: paths } = readSettings({ HAPROXY_ROOT: root.root });
    const { files } = root;
    const journaled: string[] = [];
    const watching = {
      ...files,
      async replace(path: string, content: string | Uint8Array, mode?: Mode) {
        if (path === paths.restoreJournal) journaled.push(String(content));
        await files.replace(path, content, mode);
      },
    };
    const config = join(root.root, "conf/haproxy.cfg");
    await replacement(watching, paths).carryOut([
      { file: config, text: "new\n", roots: true, lines: [] },
      { file: paths.map, text: "a.test pool_1\n", lines: [] },
    ]);
    assert.equal(await root.text("conf/haproxy.cfg"), "new\n");
    assert.equal(await root.text("conf/domains.map"), "a.test pool_1\n");
    assert.equal(journaled.length, 1);
    assert.match(journaled[0], /domains\.map/);
    assert.doesNotMatch(journaled[0], /haproxy\.cfg/);
    assert.equal((await Deno.stat(config)).uid, 0);
    assert.equal((await Deno.stat(paths.map)).uid, AGENT.uid);
    assert.deepEqual(await root.names("conf"), [
      "domains.map",
      "haproxy-mcp.env",
      "haproxy.cfg",
      "servers.json",
    ]);
  },
});

Deno.test({
  name: "what is root's alone, and can't be put in place, is named: the rest is done",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using root = await installedRoot();
    const { files: paths } = readSettings({ HAPROXY_ROOT: root.root });
    const config = join(root.root, "conf/haproxy.cfg");
    const failing: RootFiles = {
      ...root.files,
      async stage(path, content, options) {
        const staged = await root.files.stage(path, content, options);
        const broken = () => Promise.reject(new Error("Input/output error (os error 5)"));
        return path === config ? { ...staged, commit: broken } : staged;
      },
    };
    const replacing = replacement(failing, paths);
    const done = replacing.carryOut([
      { file: config, text: "new\n", roots: true, lines: [] },
      { file: paths.map, text: "a.test pool_1\n", lines: [] },
    ]);
    await assert.rejects(done, { code: "OUTCOME_UNKNOWN", message: /done but for what is root's/ });
    assert.equal(await root.text("conf/domains.map"), "a.test pool_1\n");
    assert.equal(await root.text("conf/haproxy.cfg"), "root's\n");
    assert.equal(replacing.pending, false);
    assert.equal((await root.names("conf")).some((name) => name.endsWith(".tmp")), false);
  },
});

Deno.test({
  name: "a forged journal makes root replace or remove nothing that is root's alone",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using root = await installedRoot();
    const { files: paths } = readSettings({ HAPROXY_ROOT: root.root });
    const config = join(root.root, "conf/haproxy.cfg");
    const forged = join(root.root, "data/forged");
    await Deno.writeTextFile(forged, "forged\n");
    await Deno.chown(forged, AGENT.uid, AGENT.gid);
    for (const staged of [{ path: forged, sha256: sha256("forged\n") }, null]) {
      await root.write(
        "data/journal/restore.json",
        JSON.stringify({ files: [{ file: config, staged }] }),
      );
      const refused = { code: "STATE_IO", message: /haproxy\.cfg is root's alone/ };
      await assert.rejects(replacement(root.files, paths).finish(), refused);
      assert.equal(await root.text("conf/haproxy.cfg"), "root's\n");
    }
  },
});

Deno.test("without certificates, what is under way with one stays to be finished, also after a crash", async () => {
  await using root = await testRoot();
  const { replacing, changes, paths } = await open(root);
  await replacing.carryOut(changes.slice(0, 2), { withoutCertificates: true });
  assert.equal(await text(root, "data/journal/changes.jsonl"), undefined);
  assert.equal(await text(root, "data/journal/certificate.json"), "a certificate's\n");
  await Deno.writeTextFile(
    paths.restoreJournal,
    JSON.stringify({ withoutCertificates: true, files: [] }),
  );
  await replacing.finish();
  assert.equal(await text(root, "data/journal/certificate.json"), "a certificate's\n");
});

/** Lets the nth call of a file system function fail, as a broken disk would. */
async function failing(
  name: "rename" | "remove" | "open",
  nth: number,
  act: () => Promise<void>,
): Promise<{ readonly met: boolean; readonly code?: string }> {
  const real = Deno[name] as (...args: unknown[]) => Promise<unknown>;
  let calls = 0;
  Object.assign(Deno, {
    [name]: (...args: unknown[]) =>
      ++calls === nth
        ? Promise.reject(new Error("Input/output error (os error 5)"))
        : real(...args),
  });
  try {
    return await act().then(() => ({ met: calls >= nth }), (cause: AgentError) => ({
      met: calls >= nth,
      code: cause.code,
    }));
  } finally {
    Object.assign(Deno, { [name]: real });
  }
}

for (const name of ["open", "rename", "remove"] as const) {
  Deno.test(`carryOut with a failing ${name}: refused is as before, anything else is finished later`, async () => {
    const outcomes = new Set<string>();
    for (let nth = 1;; nth++) {
      await using root = await testRoot();
      const { replacing, changes } = await open(root);
      const { met, code } = await failing(name, nth, () => replacing.carryOut(changes));
      if (!met) break;
      await replacing.finish();
      outcomes.add(code ?? "OK");
      if (code === "STATE_IO") await isOld(root);
      else await isNew(root);
      assert.equal(replacing.pending, false);
    }
    assert.ok(outcomes.has("OUTCOME_UNKNOWN") || name === "open", [...outcomes].join());
  });
}

Deno.test("what is written down is finished, however much of it was in its place", async () => {
  for (let done = 0; done <= 2; done++) {
    await using root = await testRoot();
    const { replacing, changes, paths } = await open(root);
    const contents = ["new servers\n", "new map\n"];
    const entries = contents.map((content, i) => ({
      file: changes[i].file,
      staged: { path: `${changes[i].file}.staged`, sha256: sha256(content) },
    }));
    for (const [i, { file, staged }] of entries.entries()) {
      await Deno.writeTextFile(i < done ? file : staged.path, contents[i]);
    }
    await Deno.mkdir(join(paths.acmeFolder, "acme.sh"), { recursive: true });
    await Deno.writeTextFile(changes[2].file, "new file\n");
    const files = [...entries, { file: paths.certificates, staged: null }];
    await Deno.writeTextFile(paths.restoreJournal, JSON.stringify({ files }));
    assert.equal(replacing.pending, true);
    await replacing.finish();
    await isNew(root);
  }
});

Deno.test("what is written down is finished, though the first of it was edited since", async () => {
  await using root = await testRoot();
  const { replacing, changes, paths } = await open(root);
  await Deno.mkdir(join(paths.acmeFolder, "acme.sh"), { recursive: true });
  const contents = ["new servers\n", "new map\n", "new file\n"];
  const files = contents.map((content, i) => ({
    file: changes[i].file,
    staged: { path: `${changes[i].file}.staged`, sha256: sha256(content) },
  }));
  await root.write("conf/servers.json", "edited\n");
  for (const i of [1, 2]) await Deno.writeTextFile(files[i].staged.path, contents[i]);
  await Deno.writeTextFile(paths.restoreJournal, JSON.stringify({ files }));
  await replacing.finish();
  assert.equal(await text(root, "conf/servers.json"), "edited\n");
  assert.equal(await text(root, "conf/domains.map"), "new map\n");
  assert.equal(await text(root, "data/acme/acme.sh/new"), "new file\n");
});

Deno.test("one whose files are gone was refused: it is forgotten, and nothing is changed", async () => {
  await using root = await testRoot();
  const { replacing, changes, paths } = await open(root);
  const staged = changes.slice(0, 2).map(({ file }, i) => ({
    file,
    staged: { path: `${file}.staged`, sha256: sha256(["new servers\n", "new map\n"][i]) },
  }));
  await Deno.writeTextFile(staged[0].staged.path, "new servers\n");
  await Deno.writeTextFile(paths.restoreJournal, JSON.stringify({ files: staged }));
  await replacing.finish();
  await isOld(root);
  assert.deepEqual(await root.names("conf"), ["certificates.json", "domains.map", "servers.json"]);
  assert.equal(replacing.pending, false);
});

Deno.test("a journal that is none stops every change, and says what to do", async () => {
  await using root = await testRoot();
  const { replacing, paths } = await open(root);
  await Deno.writeTextFile(paths.restoreJournal, "{}");
  await assert.rejects(replacing.finish(), (error: AgentError) => {
    assert.equal(error.code, "STATE_CORRUPT");
    assert.match(error.message, /restore\.json is not the record of a restore/);
    return true;
  });
  await isOld(root);
});

Deno.test("a restore that was cut off is finished before anybody reads, in a process that runs and in a new one", async () => {
  await using haproxy = await startHaproxy({ pools: 2, slots: 3, domains: "a.test pool_1\n" });
  const { map } = haproxy.options;
  const cutOff = async (content: string) => {
    await Deno.writeTextFile(`${map}.staged`, content);
    const staged = { path: `${map}.staged`, sha256: sha256(content) };
    const entry = JSON.stringify({ files: [{ file: map, staged }] });
    await Deno.writeTextFile(join(haproxy.root, "data/journal/restore.json"), entry);
  };
  await cutOff("b.test pool_1\n");
  await using rig = await openMoreTools(haproxy);
  assert.equal(await runningMap(haproxy), "b.test pool_1");
  await cutOff("c.test pool_1\n");
  const { structured } = await rig.call("list_domains");
  assert.deepEqual((structured.domains as { domain: string }[]).map(({ domain }) => domain), [
    "c.test",
  ]);
});
