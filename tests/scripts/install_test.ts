/** install.sh in a folder instead of a machine: what it puts where, again, and away. tests/e2e/install_test.ts has a machine. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { executable } from "../support/agent.ts";
import { makeMachine } from "../support/units.ts";
import { makeOriginal, UNIT } from "../takeover/original.ts";

const SCRIPT = new URL("../../scripts/install.sh", import.meta.url).pathname;

async function folder() {
  const path = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  return {
    path,
    root: join(path, "opt/haproxy"),
    install: (...args: string[]) => install("--destdir", path, "--binary", executable(), ...args),
    /** Every file below the folder but those of the root, sorted. */
    async placed() {
      const found = await command("find", [
        path,
        "-path",
        join(path, "opt"),
        "-prune",
        "-o",
        "-type",
        "f",
        "-print",
      ]);
      return found.stdout.trim().split("\n").filter(Boolean)
        .map((file) => file.slice(path.length + 1)).sort();
    },
    async write(name: string, text: string) {
      await Deno.mkdir(dirname(join(path, name)), { recursive: true });
      await Deno.writeTextFile(join(path, name), text);
    },
    read: (name: string) => Deno.readTextFile(join(path, name)),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

const install = (...args: string[]) => command("/bin/bash", [SCRIPT, ...args]);

async function command(name: string, args: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(name, {
    args: [...args],
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
      DENO_DIR: Deno.env.get("DENO_DIR") ?? "",
    },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

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
  const order = ["install -m 755", "init --root", "haproxy-mcp.service", "haproxy.container"]
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
  await at.write("usr/local/bin/haproxy-mcp", "an older one");
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
});

Deno.test("install.sh --help is its own first comment", async () => {
  const { code, stdout } = await install("--help");
  assert.equal(code, 0);
  for (const option of ["--quadlet", "--uninstall", "--dry-run", "--destdir DIR"]) {
    assert.ok(stdout.includes(`  ${option} `), option);
  }
});
