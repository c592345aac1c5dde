/** A folder in which install.sh puts things as on a machine (--destdir), gone afterwards. Needs HAPROXY_MCP and --allow-run. */
import { dirname, join } from "node:path";
import { executable } from "./agent.ts";

export const INSTALL = new URL("../../scripts/install.sh", import.meta.url).pathname;

export async function installFolder() {
  const path = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  return {
    path,
    root: join(path, "opt/haproxy"),
    install: (...args: string[]) => install("--destdir", path, "--binary", executable(), ...args),
    /** With these in the environment, too. */
    installWith: (env: Record<string, string>, ...args: string[]) =>
      command(
        "/bin/bash",
        [INSTALL, "--destdir", path, "--binary", executable(), ...args],
        env,
      ),
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

export const install = (...args: string[]) => command("/bin/bash", [INSTALL, ...args]);

async function command(name: string, args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(name, {
    args: [...args],
    clearEnv: true,
    env: {
      PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
      DENO_DIR: Deno.env.get("DENO_DIR") ?? "",
      ...env,
    },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
