import assert from "node:assert/strict";
import { basename, join } from "node:path";

const checkout = new URL("../../", import.meta.url).pathname;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a bash script with no environment but a PATH. */
async function bash(
  args: readonly string[],
  cwd: string,
  path = Deno.env.get("PATH") ?? "/usr/bin:/bin",
): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command("/bin/bash", {
    args: [...args],
    cwd,
    clearEnv: true,
    env: { PATH: path },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** A checkout that holds what setup.sh reads, and a folder with the named programs for its PATH. */
async function emptyCheckout(programs: readonly string[]) {
  const root = await Deno.makeTempDir();
  const bin = join(root, "bin");
  await Deno.mkdir(bin);
  for (const program of programs) {
    const { stdout } = await bash(["-c", 'command -v "$1"', "bash", program], root);
    await Deno.symlink(stdout.trim(), join(bin, program));
  }
  for (const name of ["scripts", "deno.json", "deno.lock"]) {
    await Deno.symlink(join(checkout, name), join(root, name));
  }
  return {
    root,
    bin,
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
}

const COMMON = "bash basename cat chmod dirname flock head id mkdir rm sed sort uname".split(" ");

Deno.test("setup.sh names a missing prerequisite in one line, with the package that brings it", async () => {
  for (const missing of ["flock", "node", "npm", "tar"]) {
    const others = [...COMMON, "node", "npm", "tar"].filter((name) => name !== missing);
    await using empty = await emptyCheckout(others);
    const { code, stderr } = await bash(["scripts/setup.sh"], empty.root, empty.bin);
    assert.equal(code, 1);
    assert.match(
      stderr,
      new RegExp(
        `^setup\\.sh: ${missing} is missing\\. Install it \\(Debian: apt-get install .+\\n$`,
      ),
    );
  }
});

Deno.test("setup.sh refuses an argument that it does not know", async () => {
  await using empty = await emptyCheckout(COMMON);
  const { code, stderr } = await bash(["scripts/setup.sh", "--test"], empty.root, empty.bin);
  assert.equal(code, 1);
  assert.equal(stderr, "setup.sh: usage: setup.sh [--compile | --tests]\n");
});

Deno.test("setup.sh has nothing to do or to say a second time", async () => {
  const written = await Deno.stat(join(checkout, ".cache/env.sh"));
  const { code, stdout, stderr } = await bash(["scripts/setup.sh", "--tests"], checkout);
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
  assert.deepEqual((await Deno.stat(join(checkout, ".cache/env.sh"))).mtime, written.mtime);
});

Deno.test("env.sh follows a checkout that was moved", async () => {
  const moved = await Deno.makeTempDir();
  try {
    await Deno.copyFile(join(checkout, ".cache/env.sh"), join(moved, "env.sh"));
    const print =
      '. "$1"; printf "%s\\n" "$DENO_DIR" "$HAPROXY_3_0" "$HAPROXY_3_2" "$HAPROXY_3_4" "$CURL_HTTP3" "$PODMAN" "$CLIENTS"';
    const { stdout } = await bash(["-euc", print, "bash", join(moved, "env.sh")], "/");
    assert.deepEqual(stdout.trim().split("\n"), [
      join(moved, "deno"),
      ...["3.0", "3.2", "3.4"].map((version) => join(moved, `haproxy-${version}/bin/haproxy`)),
      join(moved, "curl/bin/curl"),
      join(moved, "podman/bin/podman"),
      join(moved, basename(variable("CLIENTS"))),
    ]);
  } finally {
    await Deno.remove(moved, { recursive: true });
  }
});

Deno.test("the private HAProxys are the versions that they are named after", async () => {
  for (const version of ["3.0", "3.2", "3.4"]) {
    const path = variable(`HAPROXY_${version.replace(".", "_")}`);
    const { stdout } = await new Deno.Command(path, { args: ["-v"] }).output();
    assert.match(
      new TextDecoder().decode(stdout),
      new RegExp(`^HAProxy version ${version.replace(".", "\\.")}\\.`),
    );
  }
});

Deno.test("the private curl speaks HTTP/3", async () => {
  const { code, stdout } = await bash(["-c", '"$0" -V', variable("CURL_HTTP3")], "/");
  assert.equal(code, 0);
  assert.match(stdout, /^Features:.* HTTP3\b/m);
});

Deno.test("the private Podman runs without an environment, from any place", async () => {
  const moved = await Deno.makeTempDir();
  try {
    const bin = join(variable("PODMAN"), "../..");
    const { code, stdout, stderr } = await bash(
      [
        "-c",
        'cp -r "$1" "$2" && exec env -i "$2/bin/podman" --version',
        "bash",
        bin,
        join(moved, "p"),
      ],
      "/",
    );
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^podman version \d/);
  } finally {
    await Deno.remove(moved, { recursive: true });
  }
});

Deno.test("the private Chromium shows a page without an environment, from any place", async () => {
  const moved = await Deno.makeTempDir();
  try {
    const show = 'cp -r "$1" "$2" && exec env -i HOME="$2" "$2/bin/chromium" --no-sandbox ' +
      "--disable-gpu --dump-dom 'data:text/html,<p>shown'";
    const bin = join(variable("CHROMIUM"), "../..");
    const { stdout } = await bash(["-c", show, "bash", bin, join(moved, "c")], "/");
    assert.match(stdout, /<p>shown<\/p>/);
  } finally {
    await Deno.remove(moved, { recursive: true });
  }
});

Deno.test("the MCP clients are those of the lock, which names no registry's host", async () => {
  const lock = await Deno.readTextFile(join(checkout, "tests/clients/package-lock.json"));
  assert.equal(await Deno.readTextFile(join(variable("CLIENTS"), "package-lock.json")), lock);
  const packages = Object.entries<Record<string, unknown>>(JSON.parse(lock).packages);
  for (const [path, { version, resolved, optional }] of packages) {
    if (path === "" || optional) continue;
    assert.equal(resolved, undefined, path);
    const installed = join(variable("CLIENTS"), path, "package.json");
    assert.equal(JSON.parse(await Deno.readTextFile(installed)).version, version, path);
  }
});

function variable(name: string): string {
  const path = Deno.env.get(name);
  assert.ok(path, `${name} is not set: run the tests by scripts/test.sh`);
  return path;
}
