import assert from "node:assert/strict";
import { join } from "node:path";
import { readSettings, type Settings } from "../../lib/config.ts";
import { below, prepareRoot } from "../../lib/supervisor/root.ts";
import { makeRoot } from "../support/rooms/agent.ts";

interface Root extends AsyncDisposable {
  readonly path: string;
  settings(env?: Record<string, string>): Settings;
}

async function temporaryRoot(): Promise<Root> {
  const path = await makeRoot();
  return {
    path,
    settings: (env = {}) => readSettings({ HAPROXY_ROOT: path, ...env }),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

const refused = (message: RegExp) => ({ name: "SettingsError", message });

Deno.test("prepareRoot takes a root in order, and leaves nothing in it", async () => {
  await using root = await temporaryRoot();
  const settings = root.settings();
  assert.deepEqual(await prepareRoot(settings), settings);
  const names = await Array.fromAsync(Deno.readDir(root.path), ({ name }) => name);
  assert.deepEqual(names.sort(), ["certs", "conf", "data"]);
  const data = await Array.fromAsync(Deno.readDir(join(root.path, "data")));
  assert.deepEqual(data, []);
});

Deno.test("prepareRoot moves every path below the real root", async () => {
  await using root = await temporaryRoot();
  const link = `${root.path}-link`;
  await Deno.symlink(root.path, link);
  try {
    const settings = root.settings({ HAPROXY_ROOT: link, HAPROXY_MAP_FILE: `${link}/conf/m.map` });
    const { files } = await prepareRoot(settings);
    assert.equal(files.root, root.path);
    assert.equal(files.map, join(root.path, "conf/m.map"));
    assert.deepEqual(files, below(settings.files, root.path));
  } finally {
    await Deno.remove(link);
  }
});

Deno.test("prepareRoot refuses a root that does not exist, and names init", async () => {
  await using root = await temporaryRoot();
  const settings = root.settings({ HAPROXY_ROOT: join(root.path, "nowhere") });
  await assert.rejects(
    prepareRoot(settings),
    refused(/^HAPROXY_ROOT=".*nowhere".*haproxy-mcp init/),
  );
});

Deno.test("prepareRoot refuses a root that is a file", async () => {
  await using root = await temporaryRoot();
  const settings = root.settings({ HAPROXY_ROOT: join(root.path, "conf/domains.map") });
  await assert.rejects(prepareRoot(settings), refused(/a folder is/));
});

Deno.test("prepareRoot refuses symlinks that lead out, however deep, and names them", async () => {
  await using root = await temporaryRoot();
  await Deno.mkdir(join(root.path, "certs/old"));
  await Deno.symlink("/etc/hostname", join(root.path, "certs/old/leads-out"));
  await assert.rejects(prepareRoot(root.settings()), refused(/symlinks.*certs\/old\/leads-out/));
});

Deno.test("prepareRoot takes a symlink that stays inside", async () => {
  await using root = await temporaryRoot();
  await Deno.symlink("domains.map", join(root.path, "conf/current.map"));
  await prepareRoot(root.settings());
});

Deno.test({
  name: "prepareRoot refuses a folder that this user can't write",
  // root writes everywhere.
  ignore: Deno.uid() === 0,
  async fn() {
    await using root = await temporaryRoot();
    const conf = join(root.path, "conf");
    await Deno.chmod(conf, 0o500);
    try {
      await assert.rejects(prepareRoot(root.settings()), refused(/can write is \(.*conf/));
    } finally {
      await Deno.chmod(conf, 0o700);
    }
  },
});
