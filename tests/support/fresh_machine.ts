/**
 * Something like a machine that has never seen the project: an empty /opt, a network, processes and an empty working folder
 * of its own, `haproxy` and `haproxy-mcp` in PATH. What runs there ends with it. Only root can make one: see
 * `namespaceProblem`.
 *
 * Needs HAPROXY_MCP, --allow-read, --allow-write, --allow-env, --allow-run.
 */
import { join } from "node:path";
import { executable } from "./agent.ts";
import { haproxyBinary } from "./haproxy.ts";
import { LEASH } from "./leash.ts";
import { LOOPBACK_UP } from "./namespace.ts";

export interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script of bash there, which ends at its first command that fails. */
export async function runOnFreshMachine(script: string): Promise<Printed> {
  const folder = await Deno.makeTempDir();
  try {
    const bin = join(folder, "bin"), home = join(folder, "home"), path = join(folder, "script");
    await Promise.all([bin, home].map((each) => Deno.mkdir(each)));
    for (
      const [name, program] of [["haproxy", haproxyBinary("3.2")], ["haproxy-mcp", executable()]]
    ) {
      await Deno.writeTextFile(join(bin, name), `#!/bin/sh\nexec "${program}" "$@"\n`);
      await Deno.chmod(join(bin, name), 0o755);
    }
    await Deno.writeTextFile(path, `mount -t tmpfs tmpfs /opt\nset -euo pipefail\n${script}`);
    const child = new Deno.Command("sh", {
      args: ["-c", `${LEASH} exec "$@" </dev/null`, "sh"]
        .concat("unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child")
        .concat("perl", "-e", LOOPBACK_UP, "bash", path),
      clearEnv: true,
      env: {
        PATH: `${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
        HOME: home,
      },
      cwd: home,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    try {
      const { code, stdout, stderr } = await child.output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { code, stdout: text(stdout), stderr: text(stderr) };
    } finally {
      await child.stdin.close();
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
