/**
 * A machine of files alone for systemd's and Podman's own readers of units: what they say of ours.
 *
 *     await using machine = await makeMachine({ "etc/systemd/system/haproxy-mcp.service": text });
 *     assert.equal(await machine.verify("haproxy-mcp.service"), "");
 *
 * SYSTEMD_ANALYZE and QUADLET name the programs that `setup.sh --tests` brings. Needs --allow-env=SYSTEMD_ANALYZE,QUADLET
 * and --allow-run.
 */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";

export interface Machine extends AsyncDisposable {
  readonly root: string;
  /** What systemd complains about; "" where it takes the unit as it is. */
  verify(unit: string): Promise<string>;
  /** `systemd-analyze security`: 0 to 10, lower is better. Drop-ins count. */
  exposure(unit: string): Promise<number>;
}

/** @param files by their paths below the machine's root; programs of the units are there by themselves */
export async function makeMachine(files: Readonly<Record<string, string>> = {}): Promise<Machine> {
  const root = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  const analyze = program("SYSTEMD_ANALYZE");
  await write(root, files);
  // Those that ours name: targets, and what these name in turn.
  await output("cp", ["-r", join(dirname(analyze), "../units"), join(root, "units")]);
  await Deno.mkdir(join(root, "usr/lib/systemd"), { recursive: true });
  await Deno.rename(join(root, "units"), join(root, "usr/lib/systemd/system"));
  for (
    const path of ["usr/local/bin/haproxy-mcp", "usr/sbin/haproxy", "usr/bin/podman", "bin/kill"]
  ) {
    await write(root, { [path]: "#!/bin/sh\n" }, 0o755);
  }
  const run = (...args: string[]) => output(analyze, [`--root=${root}`, "--no-pager", ...args]);
  return {
    root,
    async verify(unit) {
      const { code, stdout, stderr } = await run("verify", "--man=no", unit);
      return code === 0 || stderr !== "" ? stdout + stderr : `${stdout}exit code ${code}`;
    },
    async exposure(unit) {
      const { stdout, stderr } = await run("security", "--offline=true", unit);
      const [, level] = /exposure level for .*: (\d+\.\d) /.exec(stdout) ?? [];
      assert.ok(level, stdout + stderr);
      return Number(level);
    },
    [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }),
  };
}

/** The unit that Podman's generator makes of a quadlet, and what it complains about. */
export async function generated(name: string, text: string) {
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    await write(folder, { [name]: text });
    const { code, stdout, stderr } = await output(program("QUADLET"), ["-dryrun", "-no-kmsg-log"], {
      QUADLET_UNIT_DIRS: folder,
    });
    const [, unit] = /^---[^\n]*---\n([^]*)$/.exec(stdout) ?? [];
    assert.ok(code === 0 && unit, stdout + stderr);
    return { unit, complaints: stderr.replace(/^.*Loading source unit file.*\n/gm, "") };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function write(root: string, files: Readonly<Record<string, string>>, mode = 0o644) {
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, text, { mode });
    await Deno.chmod(path, mode);
  }
}

function program(variable: "SYSTEMD_ANALYZE" | "QUADLET"): string {
  const path = Deno.env.get(variable);
  assert.ok(path, `${variable} is not set: run the tests by scripts/test.sh`);
  return path;
}

async function output(name: string, args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(name, {
    args: [...args],
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
