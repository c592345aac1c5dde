/** Programs, libraries, the environment, signals, and what Deno tells of the machine. */
import {
  type Attempts,
  deno,
  got,
  innerApi,
  type Loose,
  type ProbeTarget,
  there,
} from "./attempt.ts";

const process = async (): Promise<Loose> => (await import("node:process")).default;
const os = async (): Promise<Loose> => await import("node:os");

export const programs = ({ outside, root }: ProbeTarget): Attempts => ({
  "run": () => new Deno.Command("/bin/true").output(),
  "run by name": () => new Deno.Command("true").output(),
  "run, synchronously": () => new Deno.Command("/bin/true").outputSync(),
  "run itself": () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).output(),
  "run a script": () => new Deno.Command(outside).spawn().status,
  "run a file of the root": () => new Deno.Command(`${root}/data/probe.tmp`).spawn().status,
  "run with an environment": () =>
    new Deno.Command("true", { env: { LD_PRELOAD: outside } }).output(),
  ...nodeChild("exec", (child) => child.execSync("true")),
  ...nodeChild("execFile", (child) => child.execFileSync("/bin/true")),
  ...nodeChild("spawn", (child) => {
    const { error } = child.spawnSync("/bin/true");
    if (error) throw error;
  }),
  ...nodeChild("spawn, asynchronously", (child) =>
    new Promise((resolve, reject) => {
      child.spawn("/bin/true").on("error", reject).on("exit", resolve);
    })),
  ...nodeChild("fork", (child) =>
    new Promise((resolve, reject) => {
      child.fork(outside).on("error", reject).on("exit", resolve);
    })),
  "node:cluster": async () => {
    const { default: cluster } = await import("node:cluster") as Loose;
    there(there(cluster.fork)());
  },
  "load a library": () => Deno.dlopen("libc.so.6", {}).close(),
  "FFI callback": () =>
    new Deno.UnsafeCallback({ parameters: [], result: "void" }, () => {}).close(),
  "FFI pointer": () => got(Deno.UnsafePointer.create(0x1000n)),
  "FFI pointer of a buffer": () => got(Deno.UnsafePointer.of(new Uint8Array(8))),
  "FFI view": () =>
    Deno.UnsafePointerView.getCString(there(Deno.UnsafePointer.of(new Uint8Array(8)))),
  "process.dlopen": async () => (await process()).dlopen({ exports: {} }, "/lib/libc.so.6"),
  "process.binding": async () => there((await process()).binding("fs").internalModuleReadJSON),
  "require an addon": async () =>
    (await import("node:module")).createRequire("file:///probe.js")("/probe.node"),
});

const nodeChild = (name: string, attempt: (child: Loose) => unknown): Attempts => ({
  [`node:child_process ${name}`]: async () => await attempt(await import("node:child_process")),
});

export const environment = (): Attempts => ({
  "read a variable": () => Deno.env.get("PATH"),
  "read a token": () => Deno.env.get("CF_Token"),
  "ask for a variable": () => Deno.env.has("PATH"),
  "read all variables": () => Deno.env.toObject(),
  "set a variable": () => Deno.env.set("PROBE", "1"),
  "delete a variable": () => Deno.env.delete("PROBE"),
  "node:process env": async () => got((await process()).env.PATH),
  "node:process env's names": async () => got(Object.keys((await process()).env).length),
  "node:process sets a variable": async () => {
    const { env } = await process();
    env.PROBE = "1";
    got(env.PROBE === "1");
  },
  "a token by the inner API": () => got(readEnvironment("CF_Token")),
  "any variable by the inner API": () => got(readEnvironment("PATH")),
  "node:process loadEnvFile": async () => (await process()).loadEnvFile("/etc/environment"),
  "node:os home": async () => (await os()).homedir(),
});

const readEnvironment = (name: string) =>
  there(innerApi().ops.op_get_env_no_permission_check)(name);

export const machine = (): Attempts => ({
  "host name": () => Deno.hostname(),
  "OS release": () => Deno.osRelease(),
  "OS uptime": () => Deno.osUptime(),
  "user": () => Deno.uid(),
  "group": () => Deno.gid(),
  "network interfaces": () => Deno.networkInterfaces(),
  "load": () => Deno.loadavg(),
  "memory": () => Deno.systemMemoryInfo(),
  "node:os host name": async () => (await os()).hostname(),
  "node:os processors": async () => (await os()).cpus(),
  "node:os user": async () => (await os()).userInfo(),
  "node:os network": async () => (await os()).networkInterfaces(),
  "node:os memory": async () => (await os()).totalmem(),
  "node:os release": async () => (await os()).release(),
  "node:os priority": async () => (await os()).getPriority(),
  "node:os sets priority": async () => (await os()).setPriority(5),
  "node:process user": async () => (await process()).getuid(),
  "node:process group": async () => (await process()).getegid(),
});

export const processes = ({ pid }: ProbeTarget): Attempts => ({
  "kill": () => Deno.kill(pid, "SIGCONT"),
  "kill a group": () => Deno.kill(-pid, "SIGCONT"),
  "kill itself": () => Deno.kill(Deno.pid, "SIGCONT"),
  "node:process kill": async () => (await process()).kill(pid, "SIGCONT"),
  "node:process asks for a process": async () => (await process()).kill(pid, 0),
  "change the working folder": () => Deno.chdir("/"),
  "node:process chdir": async () => (await process()).chdir("/"),
  "umask": () => Deno.umask(),
  "set the umask": () => Deno.umask(Deno.umask()),
  "node:process umask": async () => (await process()).umask(),
  "node:process sets the umask": async () => (await process()).umask(0o022),
  "set the user": async () => {
    const { setuid } = await process();
    there(setuid)(0);
  },
  "set the group": async () => {
    const { setgid } = await process();
    there(setgid)(0);
  },
  "set the process's title": async () => {
    (await process()).title = "probe";
  },
  "another exit code": () => {
    Deno.exitCode = 0;
  },
  "listen to a signal": () => {
    const ignore = () => {};
    Deno.addSignalListener("SIGWINCH", ignore);
    Deno.removeSignalListener("SIGWINCH", ignore);
  },
  "GPU": () => there((globalThis as Loose).navigator?.gpu),
  "Deno.bundle": () => there(deno.bundle)({ entrypoints: ["/etc/passwd"] }),
});

/** What would ask whoever sits at the terminal. */
export const questions = (): Attempts => ({
  "ask for more": async () =>
    got((await Deno.permissions.request({ name: "run" })).state === "granted"),
  "ask for more, synchronously": () =>
    got(Deno.permissions.requestSync({ name: "read", path: "/etc" }).state === "granted"),
  "ask for every file": async () =>
    got((await Deno.permissions.request({ name: "write" })).state === "granted"),
  "prompt": () => got(there((globalThis as Loose).prompt)("probe")),
  "confirm": () => got(there((globalThis as Loose).confirm)("probe")),
  "alert": () => there((globalThis as Loose).alert)("probe"),
  "read what only a person could grant": () => Deno.readTextFileSync("/etc/passwd"),
  "run what only a person could grant": () => new Deno.Command("/bin/true").outputSync(),
  "connect where only a person could grant": () => Deno.connect({ port: 9 }),
});
