/** HAProxy as `haproxy-mcp init` sets it up, on free ports of the loopback. */
import { setTimeout as delay } from "node:timers/promises";
import { ask, runtimePid } from "../../tests/support/haproxy_cli.ts";
import { freePort } from "../../tests/support/ports.ts";
import { answerOf, failure, type Program, startProgram } from "./program.ts";

export interface HaproxyOptions {
  readonly root: string;
  /** Absolute paths: HAProxy, haproxy-mcp, the shell. */
  readonly haproxy: string;
  readonly agent: string;
  readonly sh: string;
  /** HAProxy ended, and it was not kill9(). */
  readonly onLost: (error: Error) => void;
}

export interface Ports {
  readonly http: number;
  readonly https: number;
  /** Runtime API. */
  readonly api: number;
}

export interface Haproxy {
  readonly root: string;
  readonly ports: Ports;
  readonly version: string;
  /** Asked of HAProxy itself; undefined when it does not answer. */
  workerPid(): Promise<number | undefined>;
  /** SIGKILL to master and worker; resolves once both are gone. */
  kill9(): Promise<void>;
  /** Again on the same folder and ports. */
  startAgain(): Promise<void>;
}

const ATTEMPTS = 5;

/** Somebody may take a port after it was found free: then it is tried again with others. */
export async function startHaproxy(options: HaproxyOptions): Promise<Haproxy> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const ports: Ports = { http: freePort(), https: freePort(), api: freePort() };
    if (new Set(Object.values(ports)).size < 3) continue;
    await init(options, ports);
    const started = await launch(options, ports);
    if (started) return running(options, ports, started);
  }
  throw new Error(`HAProxy lost its ports to others ${ATTEMPTS} times. Start the demo again.`);
}

async function init({ root, agent, sh }: HaproxyOptions, ports: Ports): Promise<void> {
  const program = await startProgram({
    name: "haproxy-mcp init",
    sh,
    command: [agent, "init", "--force", "--bind", "127.0.0.1"].concat(
      ["--http-port", String(ports.http), "--https-port", String(ports.https)],
    ),
    env: { HAPROXY_ROOT: root, HAPROXY_HOST: "127.0.0.1", HAPROXY_PORT: String(ports.api) },
    logFile: `${root}/init.log`,
  });
  const { success } = await program.ended;
  if (!success) throw await failure(program, "failed");
}

const pidAt = (port: number) => runtimePid((command) => ask("127.0.0.1", port, command));

/** @returns undefined when a port is taken */
async function launch(options: HaproxyOptions, ports: Ports): Promise<Program | undefined> {
  const { root, haproxy, sh } = options;
  const program = await startProgram({
    name: "HAProxy",
    sh,
    command: [haproxy, "-W", "-S", `${root}/run/master.sock,mode,600`].concat(
      ["-f", `${root}/conf/haproxy.cfg`],
    ),
    logFile: `${root}/haproxy.log`,
  });
  const ready = await answerOf(program, async () => {
    const pid = await pidAt(ports.api);
    // Another HAProxy may answer where this one lost its port: this one's worker stands in its own log.
    const own = (await program.output()).includes(`worker (${pid})`);
    return own || undefined;
  });
  if (ready) return program;
  if (/cannot bind|Address already in use/i.test(await program.output())) return undefined;
  throw await failure(program, "did not start");
}

async function running(options: HaproxyOptions, ports: Ports, first: Program): Promise<Haproxy> {
  let program = first;
  program.onLost(options.onLost);
  const info = await ask("127.0.0.1", ports.api, "show version");
  return {
    root: options.root,
    ports,
    version: info.trim().split("-")[0],
    workerPid: () => pidAt(ports.api),
    async kill9() {
      const worker = await pidAt(ports.api);
      program.end("SIGKILL");
      // The worker is not this process's child; it may be faster and end with its master.
      const args = ["-c", 'kill -9 "$0" 2>&-', String(worker)];
      if (worker !== undefined) await new Deno.Command(options.sh, { args }).output();
      await program.ended;
      while (await pidAt(ports.api) !== undefined) await delay(10);
    },
    async startAgain() {
      // The kernel may take a moment to take the dead worker's ports back.
      for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
        const started = await launch(options, ports);
        if (started) {
          program = started;
          program.onLost(options.onLost);
          return;
        }
        await delay(200);
      }
      throw await failure(program, "cannot have its ports back");
    },
  };
}
