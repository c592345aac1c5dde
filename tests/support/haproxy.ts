/**
 * A real HAProxy for a test: its own root with what `haproxy-mcp init` writes, free loopback ports,
 * master-worker mode. The master CLI is on TCP here and not on the socket that `init` suggests:
 * Deno asks for a net permission per socket path, which no test could name beforehand.
 *
 *     await using haproxy = await startHaproxy({ version: "3.2", pools: 3 });
 *     await haproxy.runtime("show version");
 *
 * Needs --allow-env=HAPROXY_3_0,HAPROXY_3_2,HAPROXY_3_4 (paths of the binaries), --allow-run=sh,
 * --allow-net=127.0.0.1 and --allow-read/--allow-write of the temporary folder.
 */
import { join } from "node:path";
import { writeLayout } from "../../lib/init/layout.ts";
import { defaultOptions, hostPort, type InitOptions, paths } from "../../lib/init/options.ts";
import { withoutNoreuseport } from "./edit_config.ts";
import { ask, parseProcesses, runtimePid, until, untilReplaced } from "./haproxy_cli.ts";
import { LEASH } from "./leash.ts";
import { freePort } from "./ports.ts";

export const HAPROXY_VERSIONS = ["3.0", "3.2", "3.4"] as const;
export type HaproxyVersion = typeof HAPROXY_VERSIONS[number];

/** What `init` is told, all optional, and what only tests want. Ports not given are free ones. */
export interface HaproxyOptions extends Partial<InitOptions> {
  /** @default {"3.2"} */
  readonly version?: HaproxyVersion;
  /** haproxy.cfg as it shall be, from what `init` writes. */
  readonly edit?: (config: string) => string;
  /** domains.map at the first start. */
  readonly domains?: string;
  /** servers.state at the first start. */
  readonly state?: string;
  /** How the master CLI is on the socket that `init` suggests too, `mode,600`; undefined: it is not. */
  readonly masterSocket?: string;
  /** `ulimit -n`, soft and hard; undefined: as the test's own. */
  readonly maxOpenFiles?: number;
  /** A command that becomes HAProxy: `setpriv` and its options. */
  readonly wrapper?: readonly string[];
}

export interface Haproxy extends AsyncDisposable {
  readonly version: HaproxyVersion;
  readonly root: string;
  /** What the config was written from: ports, pools, slots, paths of map and state file. */
  readonly options: InitOptions;
  readonly configFile: string;
  /** Where the master CLI listens, `host:port`. */
  readonly masterAddress: string;
  readonly masterPid: number;
  /** The worker that answers on the Runtime API now. */
  workerPid(): Promise<number>;
  /** One Runtime API command on a connection of its own; the reply as it came, empty line included. */
  runtime(command: string): Promise<string>;
  master(command: string): Promise<string>;
  /** A bare SIGUSR2; resolves once only the new worker answers. */
  reload(): Promise<void>;
  /** SIGKILL to master and workers; resolves once all are gone. The ports stay this one's for start(). */
  kill9(): Promise<void>;
  /** SIGTERM; resolves once all are gone. */
  stop(): Promise<void>;
  /** Again on the same root and ports, after kill9() or stop(). */
  start(): Promise<void>;
  /** All that HAProxy wrote on stdout and stderr so far: traffic log, warnings. */
  logs(): Promise<string>;
}

/** Milliseconds until a start, a stop or a reload counts as failed. */
const PATIENCE = 10_000;
const ATTEMPTS = 5;

/** The shell becomes HAProxy; its output goes straight to the file and not through the test. */
const LAUNCHER = `
log=$0 limit=$1; shift
${LEASH}
[ -z "$limit" ] || ulimit -n "$limit"
exec "$@" >>"$log" 2>&1 </dev/null`;

/**
 * Starts HAProxy and resolves once its Runtime API and its master CLI answer. When the returned
 * object is disposed of, its processes end; a temporary root is removed, one given is left.
 */
export async function startHaproxy(wishes: HaproxyOptions = {}): Promise<Haproxy> {
  const { version = "3.2", edit = (config) => config, domains, state, ...more } = wishes;
  const { maxOpenFiles, masterSocket, wrapper = [], ...init } = more;
  const binary = haproxyBinary(version);
  const root = init.root ?? await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  const configFile = paths(root).config;
  const logFile = join(root, "haproxy.log");
  const logs = () => Deno.readTextFile(logFile).catch(() => "");

  let options: InitOptions;
  let masterPort: number;
  let child: { readonly process: Deno.ChildProcess; readonly exit: Promise<void> } | undefined;
  const runtime = (command: string) => ask(options.api.address, options.api.port, command);
  const master = (command: string) => ask("127.0.0.1", masterPort, command);
  const workers = async () => parseProcesses(await master("show proc").catch(() => ""));

  async function configure(): Promise<void> {
    masterPort = freePort();
    options = withFreePorts({ ...defaultOptions(root), bind: ["127.0.0.1"], ...init, root }, init);
    await writeLayout(options, { force: true });
    const config = await Deno.readTextFile(configFile);
    // On a busy machine 3.0's master would end now and then: its CLI is on a port (doctor's check master-cli).
    await Deno.writeTextFile(
      configFile,
      edit(version === "3.0" ? withoutNoreuseport(config) : config),
    );
  }

  /** @returns false when a port was lost to somebody else */
  async function launch(): Promise<boolean> {
    const before = (await logs()).length;
    const process = new Deno.Command("sh", {
      args: ["-c", LAUNCHER, logFile, String(maxOpenFiles ?? ""), ...wrapper, binary]
        .concat("-W", "-S", hostPort("127.0.0.1", masterPort))
        .concat(masterSocket ? ["-S", `${paths(root).masterSocket},${masterSocket}`] : [])
        .concat("-f", configFile),
      stdin: "piped",
    }).spawn();
    let exited = false;
    const exit = process.status.then(async () => {
      exited = true;
      await process.stdin.close();
    });
    const answers = async () => {
      const pid = await runtimePid(runtime);
      return pid !== undefined && (await workers()).current.includes(pid);
    };
    const up = await until(async () => exited || await answers(), PATIENCE);
    if (up && !exited) {
      child = { process, exit };
      return true;
    }
    if (!exited) process.kill("SIGKILL");
    await exit;
    const log = (await logs()).slice(before);
    if (/cannot bind|Address already in use/i.test(log)) return false;
    throw new Error(`HAProxy ${version} did not start on ${configFile}:\n${log}`);
  }

  async function start(): Promise<void> {
    if (child !== undefined) {
      throw new Error(`HAProxy ${version} runs already (${child.process.pid})`);
    }
    // After kill -9 the dying worker may hold the ports for some milliseconds more.
    if (!await until(launch, PATIENCE)) throw new Error(`The ports of ${configFile} are taken`);
  }

  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (child === undefined) return;
    const { current, old } = await workers();
    const { process, exit } = child;
    child = undefined;
    try {
      process.kill(signal);
    } catch {
      throw new Error(`HAProxy ${version} had ended by itself:\n${await logs()}`);
    }
    if (signal === "SIGKILL") await killWorkers([...current, ...old]);
    await exit;
    const silent = async () => await runtimePid(runtime) === undefined;
    if (!await until(silent, PATIENCE)) {
      throw new Error(`HAProxy ${version} answers after ${signal}`);
    }
  }

  async function reload(): Promise<void> {
    const before = await runtimePid(runtime);
    running().kill("SIGUSR2");
    if (!await untilReplaced(runtime, before, PATIENCE)) {
      throw new Error(`HAProxy ${version} did not reload:\n${await logs()}`);
    }
  }

  function running(): Deno.ChildProcess {
    if (child === undefined) throw new Error(`HAProxy ${version} is stopped: start() it first`);
    return child.process;
  }

  async function dispose(): Promise<void> {
    try {
      await end("SIGTERM");
    } finally {
      if (init.root === undefined) await Deno.remove(root, { recursive: true });
    }
  }

  try {
    if (domains !== undefined) await seed(init.map ?? defaultOptions(root).map, domains);
    if (state !== undefined) {
      await seed(init.serverState ?? defaultOptions(root).serverState, state);
    }
    let attempt = 1;
    do await configure(); while (!await launch() && attempt++ < ATTEMPTS);
    if (child === undefined) throw new Error(`HAProxy ${version}: ports lost ${ATTEMPTS} times`);
  } catch (error) {
    await dispose();
    throw error;
  }

  return {
    version,
    root,
    options: options!,
    configFile,
    masterAddress: hostPort("127.0.0.1", masterPort!),
    get masterPid() {
      return running().pid;
    },
    async workerPid() {
      const pid = await runtimePid(runtime);
      if (pid === undefined) throw new Error(`HAProxy ${version} does not answer`);
      return pid;
    },
    runtime,
    master,
    reload,
    kill9: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    start,
    logs,
    [Symbol.asyncDispose]: dispose,
  };
}

/** The path of a version's binary; without it a test fails and is not skipped. */
export function haproxyBinary(version: HaproxyVersion): string {
  const variable = `HAPROXY_${version.replace(".", "_")}`;
  const binary = Deno.env.get(variable);
  if (!binary) {
    throw new Error(`${variable} is not set: it has to be the path of HAProxy ${version}`);
  }
  return binary;
}

/** What is not given is free. */
export function withFreePorts(options: InitOptions, given: Partial<InitOptions>): InitOptions {
  return {
    ...options,
    httpPort: given.httpPort ?? freePort(),
    httpsPort: given.httpsPort ?? freePort(),
    api: given.api ?? { address: "127.0.0.1", port: freePort() },
  };
}

async function seed(path: string, content: string): Promise<void> {
  await Deno.mkdir(join(path, ".."), { recursive: true });
  await Deno.writeTextFile(path, content);
}

/** Deno.kill would need the permission to run anything. */
async function killWorkers(pids: readonly number[]): Promise<void> {
  if (pids.length === 0) return;
  const args = ["-c", 'kill -9 "$@" 2>&-', "sh", ...pids.map(String)];
  await new Deno.Command("sh", { args }).output();
}
