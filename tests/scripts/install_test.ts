/** install.sh in a folder instead of a machine: what it puts where, again, and away. tests/e2e/install_test.ts has a machine. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { defaultOptions } from "../../lib/init/options.ts";
import { ownerCommands } from "../../lib/init/units.ts";
import { INSTALL, install, installFolder as folder } from "../support/install_folder.ts";
import { makeMachine } from "../support/units.ts";
import { makeOriginal, UNIT } from "../takeover/original.ts";

Deno.test("install.sh puts the executable and the unit in place, and more only where it is asked for", async () => {
  await using at = await folder();
  const { code, stderr, stdout } = await at.install();
  assert.equal(code, 0, stderr);
  assert.deepEqual(await at.placed(), [
    "etc/systemd/system/haproxy-mcp.service",
    "usr/local/bin/haproxy-mcp",
  ]);
  const unit = await at.read("etc/systemd/system/haproxy-mcp.service");
  assert.match(unit, new RegExp(`^Environment=HAPROXY_ROOT=${at.root}$`, "m"));
  assert.match(stdout, /^What now:$/m);
  assert.doesNotMatch(
    stdout,
    /useradd|systemctl daemon-reload/,
    "what it does itself is no advice",
  );
});

Deno.test("install.sh --quadlet --reload podman: systemd takes what lies there", async () => {
  await using at = await folder();
  const { code, stderr } = await at.install(
    "--quadlet",
    "--reload",
    "podman",
    "--",
    "--pools",
    "7",
  );
  assert.equal(code, 0, stderr);
  assert.deepEqual(await at.placed(), [
    "etc/containers/systemd/haproxy.container",
    "etc/systemd/system/haproxy-mcp.service",
    "etc/systemd/system/haproxy-mcp.service.d/podman.conf",
    "usr/local/bin/haproxy-mcp",
  ]);
  const settings = await at.read("opt/haproxy/conf/haproxy-mcp.env");
  assert.match(settings, /^HAPROXY_MASTER=127\.0\.0\.1:9998$/m);
  assert.match(settings, /^HAPROXY_POOL_COUNT=7$/m);
  const units = await at.placed();
  const texts = await Promise.all(
    units.filter((name) => /system\/.*\.(service|conf)$/.test(name))
      .map(async (name) => [name, await at.read(name)] as const),
  );
  await using machine = await makeMachine(Object.fromEntries(texts));
  assert.equal(await machine.verify("haproxy-mcp.service"), "");
});

Deno.test("install.sh --haproxy --reload systemd puts a drop-in and polkit's rule", async () => {
  await using at = await folder();
  const { code, stderr } = await at.install("--dry-run", "--haproxy", "--reload", "systemd");
  assert.equal(code, 0, stderr);
  assert.deepEqual(await at.placed(), [], "--dry-run has written something");
});

Deno.test("install.sh --dry-run prints its commands in their order, and writes nothing", async () => {
  await using at = await folder();
  const { code, stdout } = await at.install("--dry-run", "--quadlet");
  assert.equal(code, 0);
  const commands = stdout.split("\n").filter((line) => line.startsWith("+ "));
  const order = ["init --root", "haproxy.container", "install -m 755", "haproxy-mcp.service"]
    .map((part) => commands.findIndex((line) => line.includes(part)));
  assert.ok(order.every((place, i) => place >= 0 && (i === 0 || place > order[i - 1])), stdout);
  assert.deepEqual(Array.from(Deno.readDirSync(at.path)), []);
});

Deno.test("install.sh a second time writes nothing, and brings a new executable", async () => {
  await using at = await folder();
  await at.install();
  const file = join(at.path, "usr/local/bin/haproxy-mcp");
  const before = await Deno.stat(file);
  await at.install();
  assert.equal((await Deno.stat(file)).ino, before.ino);
  await at.write("usr/local/bin/haproxy-mcp", "\x7fELF, an older one with haproxy_list_domains");
  await at.install();
  assert.equal((await Deno.stat(file)).size, before.size);
  assert.equal((await Deno.stat(file)).mode! & 0o777, 0o755);
});

Deno.test("install.sh keeps another's unit beside ours, with its drop-ins, and moves its program out of the root", async () => {
  await using at = await folder();
  await makeOriginal(at.root);
  const place = "etc/systemd/system/haproxy-mcp.service";
  await at.write(place, UNIT);
  await at.write(`${place}.d/token.conf`, "[Service]\nEnvironment=CF_Token=a\n");
  const { code, stderr, stdout } = await at.install();
  assert.equal(code, 0, stderr);
  assert.equal(await at.read(`${place}.original`), UNIT);
  assert.match(await at.read(`${place}.d.original/token.conf`), /CF_Token/);
  assert.match(await at.read(place), /written by haproxy-mcp init/);
  assert.match(stdout, /^Taken over from the original:$/m);
  assert.match(await at.read("opt/haproxy.python/server.py"), /the original/);
  assert.doesNotMatch(stdout, /leads out of/, "what was in serve's way is gone");
  assert.match(await at.read("opt/haproxy/conf/domains.map"), /^\.a\.test pool_1$/m);
  const again = await at.install();
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual((await at.placed()).filter((name) => name.includes("original")).length, 2);
});

const SCRIPT_OF_PIP = "#!/usr/bin/python3\nfrom haproxy_mcp.server import main\nmain()\n";

Deno.test("install.sh keeps another's haproxy-mcp beside ours, and --uninstall never removes it", async () => {
  await using at = await folder();
  const place = "usr/local/bin/haproxy-mcp";
  await at.write(place, SCRIPT_OF_PIP);
  const alone = await at.install("--uninstall");
  assert.match(alone.stdout, /bin\/haproxy-mcp is another's: it is left alone/);
  assert.equal(await at.read(place), SCRIPT_OF_PIP);
  const { code, stderr, stdout } = await at.install();
  assert.equal(code, 0, stderr);
  assert.match(stdout, /bin\/haproxy-mcp was another's: it is .*haproxy-mcp\.original now/);
  assert.equal(await at.read(`${place}.original`), SCRIPT_OF_PIP);
  const { stdout: last } = await at.install("--uninstall");
  assert.deepEqual(await at.placed(), [`${place}.original`]);
  assert.match(last, /What was there before is .*bin\/haproxy-mcp\.original/);
});

Deno.test("install.sh without --root keeps the installed agent's", async () => {
  await using at = await folder();
  const root = join(at.path, "srv/edge");
  await at.install("--root", root);
  const unit = await at.read("etc/systemd/system/haproxy-mcp.service");
  const { code, stderr, stdout } = await at.install();
  assert.equal(code, 0, stderr);
  assert.equal(await at.read("etc/systemd/system/haproxy-mcp.service"), unit);
  assert.ok(stdout.includes(`settings      ${root}/conf/haproxy-mcp.env`), stdout);
  assert.ok(!await Deno.stat(at.root).then(() => true, () => false), "a second root");
  const { stdout: last } = await at.install("--uninstall");
  assert.ok(last.includes(`What stays: ${root} `), last);
});

Deno.test("install.sh brings up to date what an earlier run's options have put, and no other's", async () => {
  await using at = await folder();
  await at.install("--quadlet", "--reload", "podman");
  const rules = "etc/polkit-1/rules.d/50-haproxy-mcp.rules";
  await at.write(rules, "// another's\n");
  const names = [
    "etc/containers/systemd/haproxy.container",
    "etc/systemd/system/haproxy-mcp.service.d/podman.conf",
  ];
  const texts = await Promise.all(names.map(at.read));
  for (const [index, name] of names.entries()) await at.write(name, `${texts[index]}# older\n`);
  const { code, stderr, stdout } = await at.install();
  assert.equal(code, 0, stderr);
  assert.deepEqual(await Promise.all(names.map(at.read)), texts);
  assert.match(stdout, /HAProxy's unit is a newer one, which counts from its next restart on/);
  assert.equal(await at.read(rules), "// another's\n");
  assert.doesNotMatch((await at.install()).stdout, /newer one/);
});

Deno.test("install.sh beside a HAProxy with a configuration of its own says what that lacks, and writes none", async () => {
  await using at = await folder();
  const config = join(at.path, "etc/haproxy/haproxy.cfg");
  await at.write("etc/haproxy/haproxy.cfg", "frontend web\n    bind :80\n");
  const beside = (...args: string[]) => at.installWith({ HAPROXY_CONFIG_FILE: config }, ...args);
  const refused = await beside("--haproxy");
  assert.match(refused.stderr, /--haproxy lets HAProxy read .* leave one of the two away/);
  const { code, stderr, stdout } = await beside();
  assert.equal(code, 0, stderr);
  assert.ok(stdout.includes(`For full function ${config}, which is yours, lacks:`), stdout);
  for (const words of [/`stats socket ipv4@127\.0\.0\.1:9999/, /map_str\(/, /`backend pool_N`/]) {
    assert.match(stdout, words);
  }
  assert.match(stdout, /-S \S+\/run\/master\.sock,mode,600,user,haproxy-mcp$/m);
  const names = Array.from(Deno.readDirSync(join(at.root, "conf")), ({ name }) => name).sort();
  assert.deepEqual(names, ["domains.map", "haproxy-mcp.env", "servers.json", "servers.state"]);
  assert.match(
    await at.read("opt/haproxy/conf/haproxy-mcp.env"),
    new RegExp(`^HAPROXY_CONFIG_FILE=${config}$`, "m"),
  );
  assert.match((await at.install()).stdout, /For full function .*\/etc\/haproxy\/haproxy\.cfg/);
});

Deno.test("install.sh gives the agent just the files in conf/ that init names too", async () => {
  const script = await Deno.readTextFile(INSTALL);
  const [, listed] = /^ {2}wanted=\((.*)\)$/m.exec(script)!;
  const ours = ownerCommands(defaultOptions("/opt/haproxy")).find((line) =>
    line.startsWith("find")
  );
  assert.ok(ours?.includes(` '(' ${listed} ')' `), ours);
});

Deno.test("install.sh --uninstall takes the agent away and leaves the data, HAProxy's unit, and another's agent", async () => {
  await using at = await folder();
  await at.install("--quadlet", "--reload", "podman");
  const { code, stdout } = await at.install("--uninstall");
  assert.equal(code, 0);
  assert.deepEqual(await at.placed(), ["etc/containers/systemd/haproxy.container"]);
  assert.match(await at.read("opt/haproxy/conf/haproxy.cfg"), /backend pool_1\n/);
  assert.match(stdout, /What stays: .*\/opt\/haproxy/);
  assert.equal((await at.install("--uninstall")).code, 0, "a second time");

  await at.write("etc/systemd/system/haproxy-mcp.service", UNIT);
  const refused = await at.install("--uninstall");
  assert.match(refused.stderr, /is another's: it is left alone/);
  assert.equal(await at.read("etc/systemd/system/haproxy-mcp.service"), UNIT);
});

for (
  const [args, message] of [
    [["--prefix", "/usr"], /unknown option --prefix/],
    [["--haproxy", "--quadlet"], /exclude each other/],
    [["--reload", "magic"], /--reload is podman or systemd/],
    [["--root"], /--root needs a value/],
    [["--root", "relative"], /absolute path/],
    [["--binary", "/nowhere/at-all"], /there is no \/nowhere\/at-all/],
    [["--binary", "/etc/passwd"], /\/etc\/passwd is not executable/],
    [["--binary", "/bin/false"], /\/bin\/false does not run on this machine/],
    [["--uninstall", "--", "--pools", "1"], /nothing of it with --uninstall/],
  ] as const
) {
  Deno.test(`install.sh refuses ${args.join(" ")} before it does anything`, async () => {
    await using at = await folder();
    const { code, stderr } = await install("--destdir", at.path, ...args);
    assert.equal(code, 1);
    assert.match(stderr, /^install\.sh: /);
    assert.match(stderr, message);
    assert.deepEqual(Array.from(Deno.readDirSync(at.path)), []);
  });
}

Deno.test("install.sh says what init refuses, before it does anything", async () => {
  await using at = await folder();
  const { code, stderr } = await at.install("--", "--pools", "0");
  assert.equal(code, 2);
  assert.match(stderr, /--pools/);
  assert.deepEqual(Array.from(Deno.readDirSync(at.path)), []);
});

Deno.test("install.sh ends where a file of the root can't be read, with another's unit as it was", async () => {
  await using at = await folder();
  await makeOriginal(at.root);
  await at.write("opt/haproxy/conf/domains.map", "a.test pool_1 and more\n");
  await at.write("etc/systemd/system/haproxy-mcp.service", UNIT);
  const { code, stderr } = await at.install();
  assert.equal(code, 1);
  assert.match(stderr, /domains\.map, line 1: .* is not an entry/);
  assert.equal(await at.read("etc/systemd/system/haproxy-mcp.service"), UNIT);
  assert.match(await at.read("opt/haproxy/haproxy_mcp/server.py"), /the original/);
  assert.deepEqual(await at.placed(), ["etc/systemd/system/haproxy-mcp.service"]);
});

Deno.test("install.sh --help is its own first comment", async () => {
  const { code, stdout } = await install("--help");
  assert.equal(code, 0);
  for (const option of ["--quadlet", "--uninstall", "--dry-run", "--destdir DIR"]) {
    assert.ok(stdout.includes(`  ${option} `), option);
  }
});
