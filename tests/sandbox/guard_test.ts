import assert from "node:assert/strict";
import { join } from "node:path";
import { findEscapes } from "../../lib/sandbox/guard.ts";
import { type TestRoot, testRoot } from "../state/root.ts";

/** A root whose neighbour holds what must not be reached. */
async function withNeighbour(use: (root: TestRoot, outside: string) => Promise<void>) {
  await using root = await testRoot();
  await using neighbour = await testRoot();
  await neighbour.write("conf/secret", "secret\n");
  await use(root, join(neighbour.root, "conf"));
  assert.deepEqual(await neighbour.names("conf"), ["secret"]);
  assert.equal(await neighbour.text("conf/secret"), "secret\n");
}

/** Every way to a file by its path. */
async function refusesEverything(root: TestRoot, path: string, why: RegExp): Promise<void> {
  const { files } = root;
  for (
    const act of [
      () => files.read(path),
      () => files.stage(path, "x"),
      () => files.replace(path, "x"),
      () => files.openAppend(path),
      () => files.openLock(path),
    ]
  ) {
    await assert.rejects(act, (error: { code: string; message: string }) => {
      assert.equal(error.code, "STATE_IO");
      assert.match(error.message, why);
      return true;
    }, `${act} ${path}`);
  }
}

Deno.test("the guard refuses a path that leaves the root by ..", () =>
  withNeighbour(async (root, outside) => {
    await refusesEverything(
      root,
      `${root.root}/conf/../../etc/passwd`,
      /is not used: its folder is|No such file/,
    );
    await refusesEverything(root, `${outside}/secret`, /is not used: its folder is/);
    await refusesEverything(
      root,
      `${root.root}/conf/../..`,
      /is not used: its folder is|directory|not a file/,
    );
  }));

Deno.test("the guard refuses a folder whose name only begins like the root's", async () => {
  await using root = await testRoot();
  const beside = `${root.root}-beside`;
  await Deno.mkdir(beside);
  try {
    await refusesEverything(root, join(beside, "file"), /is not used: its folder is/);
  } finally {
    await Deno.remove(beside);
  }
});

Deno.test("the guard refuses a file in a folder that is a symlink out of the root", () =>
  withNeighbour(async (root, outside) => {
    await Deno.symlink(outside, join(root.root, "link"));
    await refusesEverything(root, join(root.root, "link/secret"), /is not used: its folder is/);
    await assert.rejects(root.files.syncFolders([join(root.root, "link/secret")]), {
      code: "STATE_IO",
    });
    await assert.rejects(root.files.makeFolder(join(root.root, "link/new")), { code: "STATE_IO" });
    await assert.rejects(root.files.removeStaged(join(root.root, "link")), { code: "STATE_IO" });
  }));

Deno.test("the guard refuses a file that is a symlink, wherever it leads", () =>
  withNeighbour(async (root, outside) => {
    await root.write("conf/plain", "plain\n");
    await Deno.symlink(join(outside, "secret"), join(root.root, "conf/out"));
    await Deno.symlink(join(root.root, "conf/plain"), join(root.root, "conf/in"));
    await Deno.symlink(join(outside, "missing"), join(root.root, "conf/dangling"));
    for (const name of ["out", "in", "dangling"]) {
      await refusesEverything(root, join(root.root, "conf", name), /is not used: it is a symlink/);
    }
    assert.equal(await root.text("conf/plain"), "plain\n");
  }));

Deno.test("a symlink put in a file's place between stage and commit is not followed", () =>
  withNeighbour(async (root, outside) => {
    await root.write("conf/file", "old\n");
    const staged = await root.files.stage(join(root.root, "conf/file"), "new\n");
    await Deno.remove(join(root.root, "conf/file"));
    await Deno.symlink(join(outside, "secret"), join(root.root, "conf/file"));
    await assert.rejects(staged.commit(), { code: "STATE_IO" });
    await staged.discard();
    assert.deepEqual(await root.names("conf"), ["file"]);
  }));

Deno.test("a symlink within the root may stand for a folder", async () => {
  await using root = await testRoot();
  await Deno.symlink("conf", join(root.root, "etc"));
  const path = join(root.root, "etc/file");
  await root.files.replace(path, "text\n");
  await root.files.removeStaged(join(root.root, "etc"));
  assert.equal(await root.text("conf/file"), "text\n");
});

Deno.test("findEscapes lists the symlinks that lead out of the root or nowhere, at any depth", () =>
  withNeighbour(async (root, outside) => {
    await Deno.mkdir(join(root.root, "conf/deep/er"), { recursive: true });
    await Deno.symlink(outside, join(root.root, "conf/folder"));
    await Deno.symlink(join(outside, "secret"), join(root.root, "conf/deep/er/file"));
    await Deno.symlink(join(root.root, "nowhere"), join(root.root, "data/dangling"));
    await Deno.symlink("../..", join(root.root, "data/up"));
    await Deno.symlink("loop", join(root.root, "data/loop"));
    await Deno.symlink("../conf/deep", join(root.root, "data/inside"));
    await Deno.symlink(root.root, join(root.root, "data/itself"));
    assert.deepEqual(
      (await findEscapes(root.root)).sort(),
      [
        "conf/deep/er/file",
        "conf/folder",
        "data/dangling",
        "data/loop",
        "data/up",
      ].map((path) => join(root.root, path)),
    );
    assert.equal((await findEscapes(root.root, 2)).length, 2);
  }));

Deno.test("findEscapes finds none in a plain root", async () => {
  await using root = await testRoot();
  assert.deepEqual(await findEscapes(root.root), []);
});
