/** The Podman that `setup.sh --tests` brings, with a state of its own for each test. Needs root and --allow-env=PODMAN. */
import { join } from "node:path";
import { haproxyBinary, type HaproxyVersion } from "./haproxy.ts";

/** `podman` for a PATH, with a state of its own below that folder. */
export async function openPodman(folder: string) {
  const binary = Deno.env.get("PODMAN");
  if (!binary) throw new Error("PODMAN is not set: run the tests by scripts/test.sh");
  const [bin, state] = ["bin", "podman"].map((name) => join(folder, name));
  await Deno.mkdir(bin);
  // Its home has the one file without which it takes no image.
  const policy = '{"default":[{"type":"insecureAcceptAnything"}]}';
  const wrapper = `#!/bin/sh\nHOME='${folder}' PODMAN_STATE='${state}' exec '${binary}' "$@"\n`;
  await Deno.writeTextFile(join(bin, "podman"), wrapper, { mode: 0o755 });
  await Deno.mkdir(join(folder, ".config/containers"), { recursive: true });
  await Deno.writeTextFile(join(folder, ".config/containers/policy.json"), policy);
  return {
    bin,
    podman: (...args: string[]) =>
      command(join(bin, "podman"), args).then(({ stdout, stderr }) => ({ stdout, stderr })),
    /** Ends and forgets a container, which may not be there. */
    async remove(container: string) {
      await command(join(bin, "podman"), ["rm", "--force", "--ignore", "--time", "0", container]);
      // Podman leaves the empty groups, and where init is slow a dead conmon still counts as in them.
      const tidy = `for try in 1 2 3 4 5; do
        find /sys/fs/cgroup -depth -path "*/$1*" -type d -exec rmdir {} + 2>&- && break
        sleep 0.1
      done; true`;
      await command("sh", ["-c", tidy, "sh", container]);
    },
  };
}

/** A name that nobody else has, and how a container of that name is run here. */
export function containerOptions(ulimits = limits()) {
  const container = `haproxy-mcp-test-${crypto.randomUUID()}`;
  const options = ["--name", container, "--network", "host"]
    .concat("--cgroup-parent", `/${container}`, "--log-driver", "k8s-file", ...ulimits);
  return { container, options };
}

/** A root with the libraries and the program of a HAProxy, as Debian's packages have them. */
export async function makeImageRoot(root: string, version: HaproxyVersion): Promise<void> {
  const source = join(haproxyBinary(version), "../../root/usr");
  await command("sh", [
    "-c",
    `mkdir -p "$2/usr" && cp -a "$1/lib" "$1/lib64" "$1/sbin" "$2/usr" &&
    ln -s usr/lib "$2/lib" && ln -s usr/lib64 "$2/lib64"`,
    "sh",
    source,
    root,
  ]);
}

/** As many as a container engine's machine may lack the right to raise. */
export function limits(files = 1024): string[] {
  return [`--ulimit=nofile=${files}:${files}`, "--ulimit=nproc=4096:4096"];
}

async function command(name: string, args: readonly string[]) {
  const { success, stdout, stderr } = await new Deno.Command(name, {
    args: [...args],
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin" },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`${name} ${args.join(" ")}: ${text(stderr).trim()}`);
  return { stdout: text(stdout), stderr: text(stderr) };
}
