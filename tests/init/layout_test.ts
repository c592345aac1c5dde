import assert from "node:assert/strict";
import { join } from "node:path";
import { chooseAccount } from "../../lib/init/host.ts";
import { writeLayout } from "../../lib/init/layout.ts";
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
