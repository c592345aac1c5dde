/**
 * A network of its own for a test: ports 80 and 443 are free there, and nothing else of the machine is reached. Only root
 * can make one in which HAProxy may become another user.
 *
 *     const problem = await namespaceProblem();
 *     const text = await runInNamespace(new URL("../support/x_process.ts", import.meta.url), [argument]);
 *
 * Needs --allow-run and --allow-sys=uid.
 */
import { LEASH } from "./leash.ts";

/** Its loopback is down at first. Perl belongs to every Debian, `ip` does not. */
export const LOOPBACK_UP = `
use Socket;
socket(my $socket, AF_INET, SOCK_DGRAM, 0) or die "socket: $!";
my ($SIOCSIFFLAGS, $IFF_UP) = (0x8914, 1);
ioctl($socket, $SIOCSIFFLAGS, pack("a16 s x22", "lo", $IFF_UP)) or die "ioctl: $!";
exec @ARGV or die "exec: $!"`;

function inNamespace(command: readonly string[]): Deno.Command {
  return new Deno.Command("sh", {
    args: ["-c", `${LEASH} exec "$@" </dev/null`, "sh", "unshare", "--net"]
      .concat("perl", "-e", LOOPBACK_UP, ...command),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Why there can be none here, in words for people; undefined: there can. */
export async function namespaceProblem(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "only root can make a network whose HAProxy becomes another user";
  try {
    await output(inNamespace(["true"]));
  } catch (cause) {
    return String(cause);
  }
}

/** Runs a module there, with this process's environment and permissions to read, write, run and listen; its stdout. */
export function runInNamespace(module: URL, args: readonly string[]): Promise<string> {
  const flags = ["--frozen", "--no-check", "--no-prompt", "--deny-ffi", "--deny-import"]
    .concat("--allow-read", "--allow-write", "--allow-net", "--allow-env", "--allow-run")
    .concat("--allow-sys");
  return output(inNamespace([Deno.execPath(), "run", ...flags, module.pathname, ...args]));
}

async function output(command: Deno.Command): Promise<string> {
  const child = command.spawn();
  try {
    const { code, stdout, stderr } = await child.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (code === 0) return text(stdout);
    throw new Error(`ended with ${code}: ${text(stderr).trim()}`);
  } finally {
    await child.stdin.close();
  }
}
