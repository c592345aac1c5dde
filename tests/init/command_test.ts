/** `haproxy-mcp init` as a person types it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { haproxyBinary } from "../support/haproxy.ts";
import { freePort } from "../support/ports.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

Deno.test("init writes a root whose printed lines check and start HAProxy as they stand", async () => {
  await using root = await temporaryRoot();
  const [http, https, api] = [freePort(), freePort(), freePort()];
  const { code, stdout, stderr } = await init(
    ["--root", root.path, "--bind", "127.0.0.1", "--pools", "3", "--slots", "4"]
      .concat("--http-port", String(http), "--https-port", String(https)),
    { HAPROXY_PORT: String(api) },
  );
  assert.equal(code, 0, stderr);
  const outcomes = stdout.split("\n\n")[0].split("\n").map((line) => line.split(/\s+/)[0]);
  assert.deepEqual(outcomes, Array(6).fill("written"));
  assert.match(
    stdout,
    /HAPROXY_POOL_COUNT=3 HAPROXY_MAX_SLOTS=4 haproxy-mcp serve --root /,
    "serve has to count as the config does",
  );

  const check = line(stdout, /^Check it: +haproxy (.*)$/m);
  assert.equal((await haproxy(check).output()).code, 0);

  await using _running = child(haproxy(line(stdout, /^Start HAProxy: +haproxy (.*)$/m)).spawn());
  const answer = await eventually(() => fetch(`http://127.0.0.1:${http}/`));
  assert.equal(answer.status, 404);
  assert.match(await answer.text(), /Unknown host/);
  const socket = await eventually(() => Deno.stat(join(root.path, "run/master.sock")));
  assert.equal(socket.mode! & 0o777, 0o600);
});

Deno.test("init a second time keeps all, says so, and --force replaces haproxy.cfg alone", async () => {
  await using root = await temporaryRoot();
  await init(["--root", root.path]);
  const again = await init(["--root", root.path, "--pools", "5"]);
  assert.equal(again.code, 0);
  assert.equal(again.stdout.match(/^kept /gm)?.length, 6);
  assert.match(again.stdout, /haproxy\.cfg was there and is kept.*--force/);
  const forced = await init(["--root", root.path, "--pools", "5", "--force"]);
  assert.equal(forced.stdout.match(/^kept /gm)?.length, 5);
  assert.match(forced.stdout, /^replaced +\S+\/haproxy\.cfg$/m);
});

Deno.test("init --print shows what init would write, and writes nothing", async () => {
  await using root = await temporaryRoot();
  const printed = await init(["--root", root.path, "--print"]);
  assert.equal(printed.code, 0);
  assert.deepEqual(Array.from(Deno.readDirSync(root.path)), []);
  await init(["--root", root.path]);
  assert.equal(printed.stdout, await Deno.readTextFile(join(root.path, "conf/haproxy.cfg")));
});

Deno.test("init --mcp-host says which Host the agent has to allow, and where it will be", async () => {
  await using root = await temporaryRoot();
  const { stdout } = await init(["--root", root.path, "--mcp-host", "MCP.Example.com"]);
  assert.match(
    stdout,
    /MCP_ALLOWED_HOSTS=localhost,127\.0\.0\.1,mcp\.example\.com haproxy-mcp serve/,
  );
  assert.match(stdout, /https:\/\/mcp\.example\.com\/mcp/);
});

Deno.test("init takes what serve takes from the environment", async () => {
  await using root = await temporaryRoot();
  const { stdout } = await init(["--print"], {
    HAPROXY_ROOT: root.path,
    HAPROXY_POOL_COUNT: "2",
    HAPROXY_MAX_SLOTS: "3",
    HAPROXY_PORT: "9001",
    HAPROXY_MAP_FILE: join(root.path, "conf/my.map"),
    HAPROXY_SERVER_STATE_FILE: join(root.path, "conf/my.state"),
  });
  assert.match(stdout, /server-template pool_2_ 1-3 /);
  assert.doesNotMatch(stdout, /backend pool_3\n/);
  assert.match(stdout, /stats socket ipv4@127\.0\.0\.1:9001 /);
  assert.ok(stdout.includes(`map_str(${root.path}/conf/my.map)`));
  assert.ok(stdout.includes(`server-state-file ${root.path}/conf/my.state\n`));
});

Deno.test("init refuses to replace a haproxy.cfg that HAPROXY_CONFIG_FILE names, or to have it in Podman", async () => {
  await using root = await temporaryRoot();
  for (const flag of ["--force", "--quadlet"]) {
    const { code, stderr } = await init(["--root", root.path, flag], {
      HAPROXY_CONFIG_FILE: "/etc/haproxy/haproxy.cfg",
    });
    assert.equal(code, 2);
    assert.match(stderr, new RegExp(`${flag} is for .*, and HAPROXY_CONFIG_FILE names /etc/`));
  }
});

Deno.test("init --systemd writes units and settings, and prints how they get to their places", async () => {
  await using root = await temporaryRoot();
  const { code, stdout, stderr } = await init(["--root", root.path, "--systemd", "--pools", "7"], {
    HAPROXY_PORT: "9001",
    CF_Token: "a-secret",
    ACME_SH: "", // set for other tests
  });
  assert.equal(code, 0, stderr);
  const units = join(root.path, "systemd");
  const written = stdout.split("\n").filter((line) =>
    line.startsWith("written ") && line.includes(units)
  );
  assert.deepEqual(written.map((line) => line.slice(10 + units.length + 1)), [
    "haproxy-mcp.service",
    "haproxy-mcp.service.d/podman.conf",
    "50-haproxy-mcp.rules",
    "haproxy.service.d/haproxy-mcp.conf",
  ]);
  const settings = join(root.path, "conf/haproxy-mcp.env");
  assert.equal((await Deno.stat(settings)).mode! & 0o777, 0o600);
  const set = (await Deno.readTextFile(settings)).match(/^[^#\n].*$/gm);
  assert.deepEqual(set, ["HAPROXY_PORT=9001", "HAPROXY_POOL_COUNT=7"]);
  for (
    const command of [
      `cp ${units}/haproxy-mcp.service /etc/systemd/system/`,
      `cp ${units}/haproxy.service.d/haproxy-mcp.conf /etc/systemd/system/haproxy.service.d/`,
      "systemctl enable --now haproxy-mcp",
    ]
  ) assert.ok(stdout.includes(`  ${command}\n`), command);
  assert.doesNotMatch(stdout, /a-secret/);
});

Deno.test("init --systemd again writes its units anew, keeps the settings, and says what these lack", async () => {
  await using root = await temporaryRoot();
  await init(["--root", root.path, "--systemd"]);
  const unit = join(root.path, "systemd/haproxy-mcp.service");
  const text = await Deno.readTextFile(unit);
  await Deno.writeTextFile(unit, "an older one\n");
  const { stdout } = await init(["--root", root.path, "--systemd", "--quadlet"]);
  assert.match(stdout, /^replaced +\S+\/systemd\/haproxy-mcp\.service$/m);
  assert.match(stdout, /^kept +\S+\/systemd\/haproxy-mcp\.service\.d\/podman\.conf$/m);
  assert.equal(await Deno.readTextFile(unit), text);
  assert.match(
    stdout,
    /haproxy-mcp\.env was there and is kept\. Put into it:\n {2}HAPROXY_MASTER=127\.0\.0\.1:9998\n/,
  );
});

Deno.test("init --quadlet writes haproxy.container, and tells serve of the master CLI in it", async () => {
  await using root = await temporaryRoot();
  const { stdout } = await init(["--root", root.path, "--quadlet"], {
    HAPROXY_MASTER: "127.0.0.1:7001",
    HAPROXY_CONTAINER: "edge",
  });
  const text = await Deno.readTextFile(join(root.path, "systemd/haproxy.container"));
  assert.match(text, /^ContainerName=edge$/m);
  assert.match(text, /^Exec=haproxy .* -S 127\.0\.0\.1:7001 /m);
  assert.match(stdout, /^Start the agent: +HAPROXY_MASTER=127\.0\.0\.1:7001 haproxy-mcp serve/m);
  const config = await Deno.readTextFile(join(root.path, "conf/haproxy.cfg"));
  assert.match(config, /^ {4}user haproxy\n {4}group haproxy$/m, "the image's");
});

Deno.test("init --print with --systemd or --quadlet shows the units alone, and writes nothing", async () => {
  await using root = await temporaryRoot();
  const { stdout } = await init(["--root", root.path, "--print", "--systemd", "--quadlet"]);
  assert.match(stdout, /^# haproxy-mcp\.service, [^]*\n# haproxy\.container, [^]*\[Install\]/);
  assert.doesNotMatch(stdout, /backend pool_1/);
  assert.deepEqual(Array.from(Deno.readDirSync(root.path)), []);
});

Deno.test("init --quadlet refuses a master CLI that the agent could not reach in a container", async () => {
  await using root = await temporaryRoot();
  for (const master of ["/run/haproxy/master.sock", "10.0.0.1:9998"]) {
    const { code, stderr } = await init(["--root", root.path, "--quadlet"], {
      HAPROXY_MASTER: master,
    });
    assert.equal(code, 4);
    assert.match(stderr, /HAPROXY_MASTER=.*with --quadlet 127\.0\.0\.1:PORT is/);
  }
  const taken = await init(["--root", root.path, "--quadlet"], {
    HAPROXY_MASTER: "127.0.0.1:9999",
  });
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, /the master CLI \(HAPROXY_MASTER\)/);
  assert.deepEqual(Array.from(Deno.readDirSync(root.path)), []);
});

const REFUSED: readonly (readonly string[])[] = [
  ["--root", "relative"],
  ["--root", "/a b"],
  ["--root", "/a\nb"],
  ["--root", "/a'b"],
  ["--root", ""],
  ["--pools", "0"],
  ["--pools", "1.5"],
  ["--pools", "ten"],
  ["--pools", "100000", "--slots", "2"],
  ["--slots", "1001"],
  ["--bind", "example.com"],
  ["--bind", "127.0.0.1:80"],
  ["--bind", "127.0.0.1 level admin"],
  ["--bind", "::1", "--bind", "0:0::1"],
  ["--http-port", "0"],
  ["--http-port", "65536"],
  ["--http-port", "80x"],
  ["--http-port", "443"],
  ["--https-port", "9999"],
  ["--mcp-host", "localhost"],
  ["--mcp-host", "*.example.com"],
  ["--mcp-host", "a.test }\nuser root"],
  ["--check", "tcp"],
  ["--check", "http://example.com/"],
  ["--check", "http:/a b"],
  ["--check", "http:/a#b"],
  ["--check", "http:/a\nuser root"],
  ["--no-such-option"],
  ["surplus"],
];
for (const args of REFUSED) {
  Deno.test(`init refuses ${JSON.stringify(args.join(" "))} with exit 2`, async () => {
    await using root = await temporaryRoot();
    const { code, stdout, stderr } = await init(args, { HAPROXY_ROOT: root.path });
    assert.equal(code, 2, stdout);
    assert.match(stderr, /^(haproxy-mcp|error): .+/);
    assert.deepEqual(Array.from(Deno.readDirSync(root.path)), []);
  });
}

for (
  const [name, value] of [
    ["HAPROXY_ROOT", "/a b"],
    ["HAPROXY_HOST", "192.0.2.1"],
    ["HAPROXY_MAP_FILE", "conf/my map"],
  ] as const
) {
  Deno.test(`init refuses ${name}=${JSON.stringify(value)} with exit 4 and its name`, async () => {
    await using root = await temporaryRoot();
    const { code, stderr } = await init([], { HAPROXY_ROOT: root.path, [name]: value });
    assert.equal(code, 4);
    assert.match(stderr, new RegExp(`${name}=`));
    assert.deepEqual(Array.from(Deno.readDirSync(root.path)), []);
  });
}

async function init(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const permissions = ["--allow-env", "--allow-net=[::1]", "--allow-read", "--allow-write"];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--quiet", "--config", CONFIG, ...permissions, "--allow-sys=uid"]
      .concat(MAIN, "init", ...args),
    env: { NO_COLOR: "1", ...env },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** HAProxy with arguments as a shell line has them. */
function haproxy(args: string): Deno.Command {
  return new Deno.Command("sh", {
    args: ["-c", 'exec "$@"', "sh", haproxyBinary("3.2"), ...args.split(" ")],
    stdout: "null",
    stderr: "null",
  });
}

function child(process: Deno.ChildProcess): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      process.kill("SIGTERM");
      await process.status;
    },
  };
}

function line(text: string, pattern: RegExp): string {
  const [, found] = pattern.exec(text) ?? [];
  assert.ok(found, `no ${pattern} in:\n${text}`);
  return found;
}

async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (const end = Date.now() + 5_000; Date.now() < end; await delay(20)) {
    try {
      return await attempt();
    } catch {
      // Not yet.
    }
  }
  return await attempt();
}

async function temporaryRoot() {
  const path = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
