/**
 * A real HAProxy in a container, by the Podman that `setup.sh --tests` brings: HAProxy is the first process, as in
 * the official image, on the host's network. Its root's folders are mounted under other names, so the paths in
 * haproxy.cfg differ from the host's.
 *
 *     const problem = await podmanProblem();
 *     Deno.test({ name: "…", ignore: problem !== undefined, fn: async () => {
 *       await using haproxy = await startPodmanHaproxy({ version: "3.4" });
 *       await haproxy.runtime("show version");
 *       // The agent finds `podman` in haproxy.bin, and HAProxy in haproxy.container.
 *     } });
 *
 * Needs root, --allow-env=PODMAN and what haproxy.ts needs, --allow-run of everything included.
 */
import { join } from "node:path";
import { writeLayout } from "../../lib/init/layout.ts";
import { defaultOptions, type InitOptions, paths } from "../../lib/init/options.ts";
import { IMAGE_ACCOUNT } from "../../lib/init/quadlet.ts";
import { masterAddress } from "../../lib/init/systemd.ts";
import {
  type Haproxy,
  type HaproxyOptions,
  type HaproxyVersion,
  withFreePorts,
} from "./haproxy.ts";
import { ask, runtimePid, until, untilReplaced } from "./haproxy_cli.ts";
import { freePort } from "./ports.ts";
import { containerOptions, limits, makeImageRoot, openPodman } from "./podman_engine.ts";
import { quadletStart } from "./quadlet_start.ts";

/** The host's folders under HAPROXY_ROOT, and where the container has them. */
export const MOUNTS = {
  conf: "/usr/local/etc/haproxy",
  certs: "/etc/haproxy/certs",
  run: "/run/haproxy",
} as const;

/** Pids are the container's. `options` are the host's paths. */
export interface PodmanHaproxy extends Omit<Haproxy, "masterAddress" | "masterPid" | "master"> {
  /** Of the quadlet alone. The official image by itself has no master CLI. */
  readonly masterAddress?: string;
  /** The container's name. */
  readonly container: string;
  /** A folder for an agent's PATH: the `podman` in it knows this container and no other. */
  readonly bin: string;
  /** haproxy.cfg as the container sees it. */
  readonly configInside: string;
  /** @returns what the command wrote on stdout; @throws with what it wrote on stderr when it fails */
  podman(...args: string[]): Promise<string>;
}

export interface PodmanHaproxyOptions
  extends Omit<HaproxyOptions, "root" | "map" | "serverState" | "account" | "container"> {
  /** As the unit starts it that Podman's generator makes of `init --quadlet`'s file: mounts, rights, master CLI. */
  readonly quadlet?: boolean;
}

const PATIENCE = 20_000;
const ATTEMPTS = 5;
/** Seconds after which conmon ends a container whose test has died without a word. */
const LIFETIME = "600";

/** Why containers can't run here, or undefined. */
export async function podmanProblem(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "Podman is tried as root only";
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    const engine = await makeEngine(folder, "3.2");
    await engine.run([], "-v");
    await engine.remove();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Resolves once the Runtime API answers. Disposing leaves no container, no process and no file. */
export async function startPodmanHaproxy(
  wishes: PodmanHaproxyOptions = {},
): Promise<PodmanHaproxy> {
  const { version = "3.2", edit = (config) => config, domains, state, ...more } = wishes;
  const { maxOpenFiles, quadlet, ...init } = more;
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  const root = join(folder, "root");
  const configInside = quadlet ? paths(root).config : join(MOUNTS.conf, "haproxy.cfg");
  let engine: Engine | undefined;
  let options: InitOptions;
  const runtime = (command: string) => ask(options.api.address, options.api.port, command);
  const answers = async () => await runtimePid(runtime) !== undefined;
  const logs = () => engine!.logs();

  function inside(text: string): string {
    return Object.entries(MOUNTS).reduce(
      (text, [name, path]) => text.replaceAll(join(root, name), path),
      text,
    );
  }

  async function configure(): Promise<void> {
    const container = { name: engine!.container, masterPort: freePort() };
    options = withFreePorts({
      ...defaultOptions(root),
      bind: ["127.0.0.1"],
      ...(quadlet && { account: IMAGE_ACCOUNT, container }),
      ...init,
    }, init);
    await writeLayout(options, { force: true });
    const { config, crtList } = paths(root);
    for (const file of quadlet ? [] : [config, crtList]) await rewrite(file, inside);
    await rewrite(config, edit);
    if (domains !== undefined) await Deno.writeTextFile(options.map, domains);
    if (state !== undefined) await Deno.writeTextFile(options.serverState, state);
  }

  /** @returns false when a port was lost to somebody else */
  async function launch(): Promise<boolean> {
    const mounts = Object.entries(MOUNTS).map(([name, path]) =>
      `--volume=${join(root, name)}:${path}`
    );
    const { flags, command } = quadlet
      ? await quadletStart(options)
      : { flags: mounts, command: ["-W", "-db", "-f", configInside] };
    await engine!.run([...flags, ...limits(maxOpenFiles)], ...command);
    const ended = async () => await engine!.status() === "exited";
    await until(async () => await answers() || await ended(), PATIENCE);
    if (await answers() && !await ended()) return true;
    const log = await logs();
    await engine!.remove();
    if (/cannot bind|Address already in use/i.test(log)) return false;
    throw new Error(`HAProxy ${version} did not start in a container:\n${log}`);
  }

  async function end(signal: "TERM" | "KILL"): Promise<void> {
    await engine!.podman("kill", "--signal", signal, engine!.container);
    const exited = async () => await engine!.status() === "exited" && !await answers();
    if (!await until(exited, PATIENCE)) {
      throw new Error(`HAProxy ${version} lives on after SIG${signal}`);
    }
  }

  async function start(): Promise<void> {
    await engine!.podman("start", engine!.container);
    if (!await until(answers, PATIENCE)) {
      throw new Error(`HAProxy ${version} did not start again:\n${await logs()}`);
    }
  }

  async function reload(): Promise<void> {
    const before = await runtimePid(runtime);
    await engine!.podman("kill", "--signal", "USR2", engine!.container);
    if (!await untilReplaced(runtime, before, PATIENCE)) {
      throw new Error(`HAProxy ${version} did not reload:\n${await logs()}`);
    }
  }

  async function dispose(): Promise<void> {
    await engine?.remove();
    await Deno.remove(folder, { recursive: true });
  }

  try {
    engine = await makeEngine(folder, version);
    let attempt = 1;
    do await configure(); while (!await launch() && attempt++ < ATTEMPTS);
    if (attempt > ATTEMPTS) throw new Error(`HAProxy ${version}: ports lost ${ATTEMPTS} times`);
  } catch (error) {
    await dispose();
    throw error;
  }

  return {
    version,
    root,
    options: options!,
    configFile: paths(root).config,
    configInside,
    container: engine.container,
    ...(quadlet && { masterAddress: masterAddress(options!) }),
    bin: engine.bin,
    podman: engine.podman,
    async workerPid() {
      const pid = await runtimePid(runtime);
      if (pid === undefined) throw new Error(`HAProxy ${version} does not answer`);
      return pid;
    },
    runtime,
    reload,
    kill9: () => end("KILL"),
    stop: () => end("TERM"),
    start,
    logs,
    [Symbol.asyncDispose]: dispose,
  };
}

/** One Podman with a state of its own, for one container. */
interface Engine {
  readonly container: string;
  readonly bin: string;
  podman(...args: string[]): Promise<string>;
  /** A new container that runs HAProxy with these arguments. */
  run(options: readonly string[], ...args: string[]): Promise<void>;
  /** Podman's word for it: running, exited; empty when there is none. */
  status(): Promise<string>;
  logs(): Promise<string>;
  /** Ends it, if there is one. */
  remove(): Promise<void>;
}

async function makeEngine(folder: string, version: HaproxyVersion): Promise<Engine> {
  const { bin, remove, ...engine } = await openPodman(folder);
  const { container, options: running } = containerOptions([]);
  // Podman makes the mounts' folders in it, so it is a copy of what haproxy needs.
  const image = join(folder, "image");
  await makeImageRoot(image, version);

  // Whom the official image knows.
  await Deno.mkdir(join(image, "etc"));
  await Deno.writeTextFile(join(image, "etc/passwd"), "root:x:0:0::/:\nhaproxy:x:99:99::/:\n");
  await Deno.writeTextFile(join(image, "etc/group"), "root:x:0:\nhaproxy:x:99:\n");

  const podman = (...args: string[]) => engine.podman(...args).then(({ stdout }) => stdout);
  return {
    container,
    bin,
    podman,
    async run(options, ...args) {
      await podman(
        ...["run", "--detach", ...running, "--timeout", LIFETIME],
        ...(options.length > 0 ? options : limits()),
        ...["--rootfs", image, "haproxy", ...args],
      );
    },
    async status() {
      const status = await podman(
        "container",
        "inspect",
        "--format",
        "{{.State.Status}}",
        container,
      )
        .catch(() => "");
      return status.trim();
    },
    async logs() {
      const { stdout, stderr } = await engine.podman("logs", container);
      return stdout + stderr;
    },
    remove: () => remove(container),
  };
}

async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  await Deno.writeTextFile(file, change(await Deno.readTextFile(file)));
}
