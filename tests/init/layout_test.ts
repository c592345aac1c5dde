import assert from "node:assert/strict";
import { join } from "node:path";
import { chooseAccount } from "../../lib/init/host.ts";
import { writeLayout } from "../../lib/init/layout.ts";
import { writeUnits } from "../../lib/init/units.ts";
import { defaultOptions, pathProblem, rootProblem } from "../../lib/init/options.ts";

Deno.test("writeLayout makes the folders and files that the contract names, keys for their owner alone", async () => {
  Deno.umask(0o022);
  await using root = await temporaryRoot();
  await writeLayout(options(root.path));
  assert.deepEqual(await tree(root.path), [
    "certs/ 700",
    "certs/crt-list.txt 644",
    "certs/default.pem 600",
    "conf/ 755",
    "conf/domains.map 644",
    "conf/haproxy.cfg 644",
    "conf/servers.json 644",
    "conf/servers.state 644",
    "data/ 700",
    "data/journal/ 700",
    "run/ 700",
    "run/chroot/ 555",
  ]);
});

Deno.test("writeLayout lets HAProxy's group read the key where the folder is setgid", async () => {
  await using root = await temporaryRoot();
  await Deno.mkdir(join(root.path, "certs"));
  await Deno.chmod(join(root.path, "certs"), 0o2750);
  await writeLayout(options(root.path));
  assert.ok((await tree(root.path)).includes("certs/default.pem 640"));
});

Deno.test("writeLayout keeps every file that exists", async () => {
  await using root = await temporaryRoot();
  await writeLayout(options(root.path));
  const before = await contents(root.path);
  const again = await writeLayout({ ...options(root.path), pools: 7 });
  assert.ok(again.length === 6 && again.every(({ outcome }) => outcome === "kept"));
  assert.deepEqual(await contents(root.path), before);
});

Deno.test("writeLayout with force replaces haproxy.cfg and nothing else", async () => {
  await using root = await temporaryRoot();
  await writeLayout(options(root.path));
  const before = await contents(root.path);
  for (const path of Object.keys(before)) await Deno.writeTextFile(path, `${before[path]}# mine\n`);
  const again = await writeLayout({ ...options(root.path), pools: 7 }, { force: true });
  const after = await contents(root.path);
  const config = join(root.path, "conf/haproxy.cfg");
  assert.deepEqual(again.filter(({ outcome }) => outcome !== "kept"), [
    { path: config, outcome: "replaced" },
  ]);
  assert.match(after[config], /backend pool_7\n/);
  assert.doesNotMatch(after[config], /backend pool_8\n|# mine/);
  for (const path of Object.keys(before)) {
    if (path !== config) assert.equal(after[path], `${before[path]}# mine\n`, path);
  }
});

Deno.test("writeLayout writes the default certificate as HAProxy wants it: key first, no blank line", async () => {
  await using root = await temporaryRoot();
  await writeLayout(options(root.path));
  const pem = await Deno.readTextFile(join(root.path, "certs/default.pem"));
  const markers = pem.split("\n").filter((line) => line.startsWith("-----"));
  assert.deepEqual(markers, [
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "-----END CERTIFICATE-----",
  ]);
  assert.doesNotMatch(pem, /\n\n|\r/);
});

for (
  const [what, config] of [
    ["the folder of certificates", "bind :443 ssl crt /etc/haproxy/certs/"],
    ["another crt-list", "bind :443 ssl crt-list /etc/haproxy/mine.txt # not certs/crt-list.txt"],
    ["no certificate", "bind :80"],
  ] as const
) {
  Deno.test(`writeLayout puts nothing into certs/ for a haproxy.cfg of somebody else's that names ${what}`, async () => {
    await using root = await temporaryRoot();
    await Deno.mkdir(join(root.path, "conf"));
    await Deno.writeTextFile(join(root.path, "conf/haproxy.cfg"), `frontend f\n    ${config}\n`);
    await writeLayout(options(root.path));
    const names = (await tree(root.path)).map((line) => line.split(" ")[0]);
    assert.deepEqual(names.filter((name) => name.startsWith("certs/")), ["certs/"]);
  });
}

Deno.test("writeLayout lists the certificates that are there where a haproxy.cfg of somebody else's wants the list", async () => {
  await using root = await temporaryRoot();
  const config = "bind :443 ssl crt-list /etc/haproxy/certs/crt-list.txt alpn h2";
  for (const folder of ["conf", "certs"]) await Deno.mkdir(join(root.path, folder));
  await Deno.writeTextFile(join(root.path, "conf/haproxy.cfg"), `frontend f\n    ${config}\n`);
  for (const name of ["b.test.pem", "a.test.pem", ".hidden.pem", "notes.txt"]) {
    await Deno.writeTextFile(join(root.path, "certs", name), "");
  }
  await writeLayout(options(root.path));
  assert.equal(
    await Deno.readTextFile(join(root.path, "certs/crt-list.txt")),
    "/etc/haproxy/certs/a.test.pem\n/etc/haproxy/certs/b.test.pem\n",
    "in the order, and with the default, that HAProxy has for the folder",
  );
});

Deno.test("writeLayout with force lists what an old haproxy.cfg served by its folder, behind the default", async () => {
  await using root = await temporaryRoot();
  for (const folder of ["conf", "certs"]) await Deno.mkdir(join(root.path, folder));
  const config = join(root.path, "conf/haproxy.cfg");
  await Deno.writeTextFile(config, "frontend f\n    bind :443 ssl crt /etc/haproxy/certs/\n");
  for (const name of ["b.test.pem", "a.test.pem"]) {
    await Deno.writeTextFile(join(root.path, "certs", name), "");
  }
  await writeLayout(options(root.path), { force: true });
  assert.equal(
    await Deno.readTextFile(join(root.path, "certs/crt-list.txt")),
    ["default", "a.test", "b.test"].map((name) => `${root.path}/certs/${name}.pem\n`).join(""),
  );
  assert.match(await Deno.readTextFile(join(root.path, "certs/default.pem")), /BEGIN CERTIFICATE/);
});

Deno.test("writeLayout writes no haproxy.cfg where HAProxy runs by another, and no list that it does not name", async () => {
  await using root = await temporaryRoot();
  const otherConfig = join(root.path, "of-somebody.cfg");
  await Deno.writeTextFile(otherConfig, "frontend f\n    bind :443 ssl crt /etc/haproxy/certs/\n");
  const written = await writeLayout({ ...options(root.path), otherConfig });
  assert.deepEqual(written.map(({ path }) => path.slice(root.path.length)), [
    "/conf/domains.map",
    "/conf/servers.json",
    "/conf/servers.state",
  ]);
  await Deno.writeTextFile(
    otherConfig,
    `frontend f\n    bind :443 ssl crt-list ${root.path}/certs/crt-list.txt\n`,
  );
  const again = await writeLayout({ ...options(root.path), otherConfig });
  assert.deepEqual(
    again.filter(({ outcome }) => outcome === "written")
      .map(({ path }) => path.slice(root.path.length)),
    ["/certs/default.pem", "/certs/crt-list.txt"],
  );
});

Deno.test({
  name:
    "what root's init makes belongs to the agent's user, but for what HAProxy and systemd take from root",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using root = await temporaryRoot();
    const [uid, gid, group] = [4711, 4712, 4713];
    for (const folder of ["conf", "certs", "data"]) await Deno.mkdir(join(root.path, folder));
    await Deno.chown(join(root.path, "data"), uid, gid);
    await Deno.chown(join(root.path, "certs"), uid, group);
    await Deno.chmod(join(root.path, "certs"), 0o2750);
    const map = join(root.path, "conf/maps/domains.map");
    await writeLayout({ ...options(root.path), map });
    await writeUnits({ ...options(root.path), map }, { systemd: true, environment: {} });
    const owners: Record<string, string> = {};
    for await (const path of walk(root.path)) {
      const { uid, gid } = await Deno.lstat(path);
      owners[path.slice(root.path.length + 1)] = `${uid}:${gid}`;
    }
    const agents = Object.entries(owners).filter(([, owner]) => owner !== "0:0");
    assert.deepEqual(Object.fromEntries(agents), {
      "certs": `${uid}:${group}`,
      "certs/crt-list.txt": `${uid}:${group}`,
      "certs/default.pem": `${uid}:${group}`,
      "conf/maps": `${uid}:${gid}`,
      "conf/maps/domains.map": `${uid}:${gid}`,
      "conf/servers.json": `${uid}:${gid}`,
      "conf/servers.state": `${uid}:${gid}`,
      "data": `${uid}:${gid}`,
      "data/journal": `${uid}:${gid}`,
    });
    assert.equal(owners["conf/haproxy-mcp.env"], "0:0");
  },
});

for (const name of ["conf/domains.map", "conf/haproxy.cfg", "certs/crt-list.txt"]) {
  Deno.test(`writeLayout refuses a symlink in the place of ${name}, and does not write to where it leads`, async () => {
    await using root = await temporaryRoot();
    await using elsewhere = await temporaryRoot();
    for (const folder of ["conf", "certs"]) await Deno.mkdir(join(root.path, folder));
    await Deno.symlink(join(elsewhere.path, "file"), join(root.path, name));
    await assert.rejects(() => writeLayout(options(root.path), { force: true }), {
      code: "STATE_IO",
      message: new RegExp(`${name} is not used: it is a symlink`),
    });
    assert.deepEqual(Array.from(Deno.readDirSync(elsewhere.path)), []);
  });
}

Deno.test("writeLayout refuses a folder that leads out of the root", async () => {
  await using root = await temporaryRoot();
  await using elsewhere = await temporaryRoot();
  await Deno.mkdir(join(root.path, "conf"));
  await Deno.symlink(elsewhere.path, join(root.path, "conf/maps"));
  const map = join(root.path, "conf/maps/domains.map");
  await assert.rejects(() => writeLayout({ ...options(root.path), map }), { code: "STATE_IO" });
  assert.deepEqual(Array.from(Deno.readDirSync(elsewhere.path)), []);
});

Deno.test("rootProblem refuses what would be something else in haproxy.cfg or in a shell", () => {
  assert.equal(rootProblem("/opt/haproxy"), undefined);
  assert.equal(rootProblem("/srv/a_b-c.d/e+f@g"), undefined);
  const refused = [
    "haproxy",
    "",
    "/",
    "/a b",
    "/a\nb",
    "/a\tb",
    '/a"b',
    "/a'b",
    "/a\\b",
    "/a#b",
    "/a$b",
  ];
  refused.push("/a,b", "/a;b", "/a(b", "/a{b", "/a%b", "/ä", `/${"a".repeat(80)}`);
  for (const root of refused) assert.notEqual(rootProblem(root), undefined, root);
  assert.notEqual(pathProblem("/opt/haproxy/my map"), undefined);
});

Deno.test("chooseAccount takes haproxy where it exists, else nobody with the group it has", () => {
  const users = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
  const both = `${users}haproxy:x:99:99::/:/bin/false\n`;
  const haproxy = { user: "haproxy", group: "haproxy" };
  assert.deepEqual(chooseAccount(both, "root:x:0:\nhaproxy:x:99:\n"), haproxy);
  const nogroup = { user: "nobody", group: "nogroup" };
  assert.deepEqual(chooseAccount(both, "root:x:0:\nnogroup:x:65534:\n"), nogroup);
  const nobody = { user: "nobody", group: "nobody" };
  assert.deepEqual(chooseAccount(users, "root:x:0:\nnobody:x:65534:\n"), nobody);
  assert.equal(chooseAccount("root:x:0:0::/root:/bin/sh\n", "root:x:0:\n"), undefined);
});

function options(root: string) {
  return { ...defaultOptions(root), pools: 10, slots: 2 };
}

async function temporaryRoot() {
  const path = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** `path mode` of everything below a root, folders with a slash. */
async function tree(root: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const path of walk(root)) {
    const { mode, isDirectory } = await Deno.stat(path);
    const name = path.slice(root.length + 1) + (isDirectory ? "/" : "");
    lines.push(`${name} ${(mode! & 0o777).toString(8)}`);
  }
  return lines.sort();
}

async function contents(root: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const path of walk(root)) {
    if ((await Deno.stat(path)).isFile) files[path] = await Deno.readTextFile(path);
  }
  return files;
}

async function* walk(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    yield join(folder, name);
    if (isDirectory) yield* walk(join(folder, name));
  }
}
