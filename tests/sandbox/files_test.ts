import assert from "node:assert/strict";
import { join } from "node:path";
import { openRoot } from "../../lib/sandbox/files.ts";
import { type TestRoot, testRoot } from "../state/root.ts";

const modeOf = async (path: string) => (await Deno.stat(path)).mode! & 0o777;
/** Root may give files away, and write wherever a mode forbids it. */
const runsAsRoot = async ({ root }: TestRoot) => (await Deno.stat(root)).uid === 0;

Deno.test("read answers the text, and undefined where there is no file", async () => {
  await using root = await testRoot();
  await root.write("conf/file", "text\n");
  assert.equal(await root.files.read(join(root.root, "conf/file")), "text\n");
  assert.equal(await root.files.read(join(root.root, "conf/none")), undefined);
});

Deno.test("read of a file in a missing folder is STATE_IO and names init", async () => {
  await using root = await testRoot();
  await assert.rejects(
    root.files.read(join(root.root, "none/file")),
    (error: { code: string; hint: string }) => {
      assert.equal(error.code, "STATE_IO");
      assert.match(error.hint, /haproxy-mcp init/);
      return true;
    },
  );
});

Deno.test("what root makes belongs to the agent's user, which data/ belongs to, and stays a setgid folder's group", async () => {
  await using root = await testRoot();
  if (!await runsAsRoot(root)) return;
  const at = (path: string) => join(root.root, path);
  await Deno.mkdir(at("data"), { recursive: true });
  await Deno.mkdir(at("shared"));
  await Deno.chown(at("data"), 1234, 4321);
  await Deno.chown(at("shared"), 1234, 99);
  await Deno.chmod(at("shared"), 0o2750);
  await root.write("conf/old", "root's\n");
  const files = await openRoot(root.root);
  await files.replace(at("conf/new"), "text\n", 0o640);
  await files.replace(at("conf/old"), "text\n");
  await files.replace(at("shared/new"), "text\n");
  (await files.openAppend(at("data/log"))).close();
  (await files.openLock(at("data/lock.new"))).close();
  await files.makeFolder(at("data/folder"));
  await files.makeFolder(at("conf"));
  const owners = async (...paths: readonly string[]) =>
    await Promise.all(paths.map(async (path) => {
      const { uid, gid } = await Deno.stat(at(path));
      return `${path} ${uid}:${gid}`;
    }));
  assert.deepEqual(
    await owners("conf/new", "shared/new", "data/log", "data/lock.new", "data/folder"),
    [
      "conf/new 1234:4321",
      "shared/new 1234:99",
      "data/log 1234:4321",
      "data/lock.new 1234:4321",
      "data/folder 1234:4321",
    ],
  );
  assert.deepEqual(await owners("conf/old", "conf"), ["conf/old 0:0", "conf 0:0"]);
  assert.equal(await modeOf(at("conf/new")), 0o640);
});

Deno.test("replace keeps the mode and the owner of a file, whatever the umask", async () => {
  await using root = await testRoot();
  const path = join(root.root, "conf/file");
  const isRoot = await runsAsRoot(root);
  for (const mode of [0o600, 0o640, 0o666]) {
    await Deno.writeTextFile(path, "old\n");
    await Deno.chmod(path, mode);
    if (isRoot) await Deno.chown(path, 1234, 4321);
    await root.files.replace(path, "new\n");
    assert.equal(await modeOf(path), mode);
    const { uid, gid } = await Deno.stat(path);
    if (isRoot) assert.deepEqual([uid, gid], [1234, 4321]);
    assert.equal(await Deno.readTextFile(path), "new\n");
  }
  assert.deepEqual(await root.names("conf"), ["file"]);
});

Deno.test("replace that can't make its rename last leaves the text that was there, and its mode", async () => {
  await using root = await testRoot();
  const path = join(root.root, "conf/file");
  const { sync } = Deno.FsFile.prototype;
  for (const old of ["old\n", undefined]) {
    if (old !== undefined) await Deno.writeTextFile(path, old, { mode: 0o640 });
    let calls = 0;
    // The file's own fsync comes first, then the folder's.
    Deno.FsFile.prototype.sync = function () {
      if (++calls === 2) throw new Error("Input/output error (os error 5)");
      return sync.call(this);
    };
    try {
      await assert.rejects(root.files.replace(path, "new\n"), { code: "STATE_IO" });
    } finally {
      Deno.FsFile.prototype.sync = sync;
    }
    assert.equal(await root.files.read(path), old);
    if (old !== undefined) assert.equal(await modeOf(path), 0o640);
    assert.deepEqual(await root.files.names(join(root.root, "conf")), old ? ["file"] : []);
    await Deno.remove(path).catch(() => {});
  }
});

Deno.test("replace makes a new file with the mode that it is told, else 0644", async () => {
  await using root = await testRoot();
  await root.files.replace(join(root.root, "conf/public"), "x");
  await root.files.replace(join(root.root, "conf/private"), "x", 0o600);
  assert.equal(await modeOf(join(root.root, "conf/public")), 0o644);
  assert.equal(await modeOf(join(root.root, "conf/private")), 0o600);
});

Deno.test("replace works on a file that stands in the root itself", async () => {
  await using root = await testRoot();
  const path = join(root.root, "domains.map");
  await root.files.replace(path, "text\n");
  await root.files.removeStaged(root.root);
  assert.equal(await root.files.read(path), "text\n");
});

Deno.test("replace works where the root's own path holds a symlink", async () => {
  await using root = await testRoot();
  const alias = `${root.root}-alias`;
  await Deno.symlink(root.root, alias);
  try {
    const files = await openRoot(alias);
    for (const path of [`${alias}/conf/file`, `${alias}/file`]) {
      await files.replace(path, "text\n");
      assert.equal(await files.read(path), "text\n");
    }
  } finally {
    await Deno.remove(alias);
  }
});

Deno.test("the old text is read until commit, and discard leaves nothing behind", async () => {
  await using root = await testRoot();
  const path = join(root.root, "conf/file");
  await Deno.writeTextFile(path, "old\n");
  const first = await root.files.stage(path, "first\n");
  const second = await root.files.stage(path, "second\n");
  assert.equal(await Deno.readTextFile(path), "old\n");
  await first.commit();
  assert.equal(await Deno.readTextFile(path), "first\n");
  await second.discard();
  await second.discard();
  assert.deepEqual(await root.names("conf"), ["file"]);
});

Deno.test("a folder in a file's place is STATE_IO, and nothing is left beside it", async () => {
  await using root = await testRoot();
  await Deno.mkdir(join(root.root, "conf/file"));
  await assert.rejects(root.files.stage(join(root.root, "conf/file"), "x"), {
    code: "STATE_IO",
    message: `Could not write ${join(root.root, "conf/file")}: it is not a file.`,
  });
  assert.deepEqual(await root.names("conf"), ["file"]);
});

Deno.test("a folder that can't take another file is STATE_IO with the path, and the file stays as it was", async () => {
  await using root = await testRoot();
  // The path of the staged file would be longer than a path may be (PATH_MAX, 4096): this stops root, too.
  const MOST = 4_090;
  let folder = join(root.root, "conf");
  while (folder.length < MOST - 210) folder = join(folder, "d".repeat(200));
  await Deno.mkdir(folder, { recursive: true });
  const path = join(folder, "f".repeat(MOST - folder.length - 1));
  await Deno.writeTextFile(path, "old\n");
  await assert.rejects(
    root.files.replace(path, "new\n"),
    (error: { code: string; message: string }) => {
      assert.equal(error.code, "STATE_IO");
      assert.ok(error.message.startsWith(`Could not write ${path}: `), error.message);
      return true;
    },
  );
  assert.equal(await Deno.readTextFile(path), "old\n");
  assert.equal((await Array.fromAsync(Deno.readDir(folder))).length, 1);
});

Deno.test("a folder that may not be written is STATE_IO, and the file stays as it was", async () => {
  await using root = await testRoot();
  if (await runsAsRoot(root)) return console.log("skipped: root may write every folder");
  const path = join(root.root, "conf/file");
  await Deno.writeTextFile(path, "old\n");
  await Deno.chmod(join(root.root, "conf"), 0o500);
  try {
    await assert.rejects(root.files.replace(path, "new\n"), { code: "STATE_IO" });
    assert.equal(await Deno.readTextFile(path), "old\n");
  } finally {
    await Deno.chmod(join(root.root, "conf"), 0o700);
  }
});

Deno.test("removeStaged removes what a crash left of staged files, and nothing else", async () => {
  await using root = await testRoot();
  await root.files.stage(join(root.root, "conf/domains.map"), "never committed\n");
  for (
    const name of [
      "domains.map",
      "mine.tmp",
      `x.${crypto.randomUUID()}`,
      `${crypto.randomUUID()}.tmp.bak`,
    ]
  ) {
    await root.write(`conf/${name}`, "");
  }
  const before = await root.names("conf");
  await root.files.removeStaged(join(root.root, "conf"));
  const after = await root.names("conf");
  const gone = before.filter((name) => !after.includes(name));
  assert.equal(gone.length, 1);
  assert.match(gone[0], /^\.domains\.map\.[0-9a-f-]{36}\.tmp$/);
});

Deno.test("signature tells a changed, a replaced and a missing file apart", async () => {
  await using root = await testRoot();
  const path = join(root.root, "conf/file");
  assert.equal(root.files.signature(path), "missing");
  await root.files.replace(path, "one\n");
  const one = root.files.signature(path);
  assert.equal(root.files.signature(path), one);
  await root.files.replace(path, "two\n");
  const two = root.files.signature(path);
  assert.notEqual(two, one);
  await Deno.writeTextFile(path, "three\n");
  assert.notEqual(root.files.signature(path), two);
});

Deno.test("read gives a file whole, small or large, with a byte order mark, and refuses a pipe", async () => {
  await using root = await testRoot();
  const path = join(root.root, "conf/file");
  for (
    const text of [
      "",
      "\ufeffmark\n",
      "ä".repeat(40_000),
      "x".repeat(64 * 1024),
      "y".repeat(200_000),
    ]
  ) {
    await Deno.writeTextFile(path, text);
    assert.equal(await root.files.read(path), text);
  }
  await Deno.remove(path);
  await new Deno.Command("mkfifo", { args: [path] }).output();
  await assert.rejects(root.files.read(path), { code: "STATE_IO" });
});
