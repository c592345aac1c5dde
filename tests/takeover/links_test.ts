/** `init` as root in folders that the agent's user may write: no link of its make leads root elsewhere. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { originalRoot } from "./original.ts";

for (
  const name of ["domains.map", "wildcards.map", "servers.json", "certificates.json"]
    .concat("mcp-token.env", "haproxy.cfg", "haproxy-mcp.env", "servers.state")
) {
  Deno.test(`takeOver reads and writes nothing where conf/${name} is a symlink`, async () => {
    await using root = await originalRoot();
    await using elsewhere = await originalRoot();
    await elsewhere.write("secret", "SECRET=of-root\n");
    const [secret, place] = [join(elsewhere.path, "secret"), join(root.path, "conf", name)];
    await Deno.chmod(secret, 0o644);
    await Deno.remove(place).catch(() => {});
    await Deno.symlink(secret, place);
    const before = await tree(root.path);
    await assert.rejects(() => root.take(), { code: "STATE_IO", message: new RegExp(name) });
    assert.deepEqual(await tree(root.path), before);
    assert.equal((await Deno.stat(secret)).mode! & 0o777, 0o644);
  });
}

Deno.test("takeOver reads and writes nothing where a link in the agent's folders leads out", async () => {
  await using root = await originalRoot();
  await Deno.symlink("/etc", join(root.path, "certs/more"));
  const before = await tree(root.path);
  await assert.rejects(() => root.take(), {
    code: "STATE_IO",
    message: /certs\/more is a symlink that leads out/,
  });
  assert.deepEqual(await tree(root.path), before);
});

Deno.test("takeOver refuses a pipe in a file's place, and does not wait for it", async () => {
  await using root = await originalRoot();
  const path = join(root.path, "conf/mcp-token.env");
  await Deno.remove(path);
  await new Deno.Command("mkfifo", { args: [path] }).output();
  await assert.rejects(() => root.take(), {
    code: "STATE_IO",
    message: /mcp-token\.env is not used: it is not a file/,
  });
});

/** What lies where, with its mode and text. */
async function tree(folder: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = join(folder, name);
    const { mode } = await Deno.lstat(path);
    lines.push(`${path} ${mode} ${isFile ? await Deno.readTextFile(path) : ""}`);
    if (isDirectory) lines.push(...await tree(path));
  }
  return lines.sort();
}
