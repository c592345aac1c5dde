/**
 * A machine for a test to install things on: a copy of this one in namespaces of its own, with a stand-in for systemd.
 * Whatever is written there is gone afterwards, and so are its processes. Files are made as root.
 *
 *     await using machine = await bootMachine();
 *     await machine.run("bash", "/checkout/scripts/install.sh", "--dry-run");
 *
 * Its network is that of this process: run the test in one of its own (namespace.ts). Needs root and --allow-run.
 */
import { join } from "node:path";
import { until } from "../haproxy_cli.ts";

export interface Machine extends AsyncDisposable {
  run(program: string, ...args: string[]): Promise<Ended>;
  write(path: string, text: string, mode?: number): Promise<void>;
  /** What the stand-in for systemctl was asked. */
  systemctlCalls(): Promise<readonly string[]>;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const BOOT = new URL("boot.sh", import.meta.url).pathname;
const SYSTEMCTL = new URL("systemctl", import.meta.url);
/** `journalctl -u UNIT …`: what the stand-in's units have said. */
const JOURNALCTL = '#!/bin/sh\nunit=${2%.service}\ncat "/var/log/$unit.service.log"\n';
const PATIENCE = 10_000;

export async function bootMachine(): Promise<Machine> {
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  const root = join(folder, "machine");
  const init = new Deno.Command("unshare", {
    args: ["--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "sh", BOOT]
      .concat(folder),
    stdin: "piped",
    stderr: "piped",
  }).spawn();
  const complaints = new Response(init.stderr).text();

  async function enter(command: readonly string[], stdin?: string): Promise<Ended> {
    const child = new Deno.Command("nsenter", {
      // The child of unshare is the first process of the pid namespace.
      args: [
        "--target",
        String(await firstProcess()),
        "--mount",
        "--pid",
        "chroot",
        root,
        ...command,
      ],
      clearEnv: true,
      env: {
        PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        LANG: "C.UTF-8",
      },
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (stdin !== undefined) {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(stdin));
      await writer.close();
    }
    const { code, stdout, stderr } = await child.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  async function firstProcess(): Promise<number> {
    const { stdout } = await new Deno.Command("ps", {
      args: ["-o", "pid=", "--ppid", String(init.pid)],
    }).output();
    return Number(new TextDecoder().decode(stdout).trim());
  }

  async function dispose(): Promise<void> {
    await init.stdin.close();
    await init.status;
    await Deno.remove(folder, { recursive: true });
  }

  const machine: Machine = {
    run: (program, ...args) => enter([program, ...args]),
    async write(path, text, mode = 0o644) {
      const script = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"';
      const args = ["sh", "-c", script, "sh", path, mode.toString(8)];
      const { code, stderr } = await enter(args, text);
      if (code !== 0) throw new Error(`${path} could not be written: ${stderr}`);
    },
    async systemctlCalls() {
      const { stdout } = await enter(["cat", "/run/systemctl.calls"]);
      return stdout.split("\n").filter(Boolean);
    },
    [Symbol.asyncDispose]: dispose,
  };
  const isUp = async () =>
    (await enter(["test", "-e", "/run/up"]).catch(() => undefined))?.code === 0;
  if (!await until(isUp, PATIENCE)) {
    await dispose();
    throw new Error(`the machine did not come up: ${await complaints}`);
  }
  await machine.write("/usr/bin/systemctl", await Deno.readTextFile(SYSTEMCTL), 0o755);
  await machine.write("/usr/bin/journalctl", JOURNALCTL, 0o755);
  return machine;
}
