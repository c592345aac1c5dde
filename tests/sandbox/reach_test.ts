/** Root in a root whose agent is another user, as install.sh leaves it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openRoot } from "../../lib/sandbox/files.ts";
import { AGENT, installedRoot } from "../state/root.ts";

const test = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, ignore: Deno.uid() !== 0, fn });
const refused = { code: "STATE_IO", message: /is root's alone/ };

test("root moves nothing of the agent's over its own, and none of its own away, and removes none", async () => {
  await using root = await installedRoot();
  const { files } = root;
  const at = (path: string) => join(root.root, path);
  await root.write("data/forged", "lua-load /tmp/x\n");
  await Deno.chown(at("data/forged"), AGENT.uid, AGENT.gid);
  for (const path of ["conf/haproxy.cfg", "conf/haproxy-mcp.env"]) {
    assert.ok(files.isRootsAlone(at(path)));
    await assert.rejects(files.move(at("data/forged"), at(path)), refused);
    await assert.rejects(files.move(at(path), at("data/taken")), refused);
    await assert.rejects(files.remove(at(path)), refused);
    await assert.rejects(files.stage(at(path), "new\n"), refused);
    assert.equal(await root.text(path), "root's\n");
  }
  await assert.rejects(files.move(at("data/forged"), at("systemd/haproxy-mcp.service")), refused);
  await assert.rejects(files.replace(at("systemd/new"), "new\n"), refused);
  // Its own files, and a new one in their folder, are the agent's to change.
  await files.move(at("data/forged"), at("conf/domains.map"));
  await files.replace(at("conf/certificates.json"), "{}\n");
  await files.remove(at("conf/certificates.json"));
});

test("root replaces what is its own where a person says so, and it stays root's, if new too", async () => {
  await using root = await installedRoot();
  const path = join(root.root, "conf/haproxy.cfg");
  for (const isThere of [true, false]) {
    if (!isThere) await Deno.remove(path);
    const staged = await root.files.stage(path, "new\n", { roots: true });
    await staged.commit();
    const { uid, gid } = await Deno.stat(path);
    assert.deepEqual([uid, gid, await root.text("conf/haproxy.cfg")], [0, 0, "new\n"]);
  }
});

test("what root left half-way in its folder, the agent passes over", async () => {
  await using root = await installedRoot();
  const { path } = await root.files.stage(join(root.root, "conf/haproxy.cfg"), "x", {
    roots: true,
  });
  await root.files.removeStaged(join(root.root, "conf"));
  await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
});

test("where the agent is root, or we are not, nothing is held back here", async () => {
  await using root = await installedRoot();
  const path = join(root.root, "conf/haproxy.cfg");
  const unlike = await openRoot(root.root, AGENT.uid);
  assert.equal(unlike.isRootsAlone(path), false);
  await Deno.chown(join(root.root, "data"), 0, 0);
  const files = await openRoot(root.root, 0);
  assert.equal(files.isRootsAlone(path), false);
  await files.replace(path, "new\n");
});
