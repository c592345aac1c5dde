/** What code in a room could try to reach beyond its room. Each attempt answers ALLOWED, DENIED, or what else stopped it. */

export interface ProbeTarget {
  readonly root: string;
  readonly apiPort: number;
  /** A loopback port where somebody listens, and which is nobody's business here. */
  readonly otherPort: number;
  /** A file outside the root that exists and may be overwritten, in a folder that may be written. */
  readonly outside: string;
  /** Somebody else's process. */
  readonly pid: number;
  /** A symlink in the root that somebody else put there, leading to `outside`. */
  readonly link: string;
}

type Attempts = Readonly<Record<string, () => unknown>>;

const files = ({ root, outside, link }: ProbeTarget): Attempts => ({
  "read root": () => Deno.readTextFile(`${root}/conf/domains.map`),
  "write root": () => Deno.writeTextFile(`${root}/data/probe.tmp`, "x"),
  "read through a link": () => Deno.readTextFile(link),
  "read outside": () => Deno.readTextFile(outside),
  "read root/..": () => Deno.readTextFile(`${root}/../../../../../../etc/passwd`),
  "read /etc/passwd": () => Deno.readTextFile("/etc/passwd"),
  "read /proc/self/environ": () => Deno.readTextFile("/proc/self/environ"),
  "read /proc/self/fd": () => Array.fromAsync(Deno.readDir("/proc/self/fd")),
  "read /dev/null": () => Deno.readTextFile("/dev/null"),
  "stat outside": () => Deno.stat(outside),
  "realPath outside": () => Deno.realPath(outside),
  "list /": () => Array.fromAsync(Deno.readDir("/")),
  "working folder": () => Deno.cwd(),
  "program's path": () => Deno.execPath(),
  "write outside": () => Deno.writeTextFile(outside, "probed"),
  "write beside root": () => Deno.writeTextFile(`${root}-probe`, "x"),
  "make outside": () => Deno.mkdir(`${outside}.d`),
  "temporary file": () => Deno.makeTempFile(),
  "chmod outside": () => Deno.chmod(outside, 0o777),
  "rename into root": () => Deno.rename(outside, `${root}/data/probe.moved`),
  "copy out of root": () => Deno.copyFile(`${root}/conf/domains.map`, `${outside}.copy`),
  "symlink out": () => Deno.symlink(outside, `${root}/data/probe-symlink`),
  "hard link out": () => Deno.link(outside, `${root}/data/probe-link`),
  "import a file": () => import(`file://${outside}`),
  "run a file as a worker": () => startWorker(`file://${outside}`),
  "node:fs read": async () => (await import("node:fs")).readFileSync(outside),
  "node:fs write": async () => (await import("node:fs")).writeFileSync(outside, "probed"),
  "node:fs promises": async () => (await import("node:fs/promises")).readFile("/etc/passwd"),
  "node:sqlite": async () =>
    new (await import("node:sqlite")).DatabaseSync(`${outside}.db`).exec("create table t (x)"),
});

const network = ({ apiPort, otherPort, outside }: ProbeTarget): Attempts => ({
  "Runtime API by address": () => connectTo("127.0.0.1", apiPort),
  "Runtime API by name": () => connectTo("localhost", apiPort),
  "other port": () => connectTo("127.0.0.1", otherPort),
  "other port by name": () => connectTo("localhost", otherPort),
  "other address": () => connectTo("127.0.0.2", apiPort),
  "listen": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  "serve": () => Deno.serve({ hostname: "127.0.0.1", port: 0 }, () => new Response()).shutdown(),
  "fetch": () => fetch(`http://127.0.0.1:${otherPort}/`),
  "fetch a file": () => fetch(`file://${outside}`).then((response) => response.text()),
  "WebSocket": () => openSocket(`ws://127.0.0.1:${otherPort}/`),
  "look up a name": () => Deno.resolveDns("localhost", "A"),
  "unix socket": () => Deno.connect({ transport: "unix", path: "/run/systemd/notify" }),
  "node:net": async () => {
    const { connect } = await import("node:net");
    await eventOf(connect(otherPort, "127.0.0.1"), "connect");
  },
  "node:http": async () => {
    const { get } = await import("node:http");
    await eventOf(get(`http://127.0.0.1:${otherPort}/`), "response");
  },
  "node:dgram": async () => {
    const { createSocket } = await import("node:dgram");
    const socket = createSocket("udp4");
    const bound = eventOf(socket, "listening");
    socket.bind(0, "127.0.0.1");
    await bound;
    socket.close();
  },
});

const system = ({ outside, pid }: ProbeTarget): Attempts => ({
  "run": () => new Deno.Command("/bin/true").output(),
  "run a script": () => new Deno.Command(outside).spawn().status,
  "node:child_process": async () => (await import("node:child_process")).execSync("true"),
  "node:child_process fork": async () => (await import("node:child_process")).fork(outside),
  "read a variable": () => Deno.env.get("PATH"),
  "read all variables": () => Deno.env.toObject(),
  "set a variable": () => Deno.env.set("PROBE", "1"),
  "node:process env": async () => {
    const { env } = await import("node:process");
    if (env.PATH === undefined) throw new Hidden("node:process shows no PATH");
  },
  "host name": () => Deno.hostname(),
  "node:os host name": async () => (await import("node:os")).hostname(),
  "user": () => Deno.uid(),
  "network interfaces": () => Deno.networkInterfaces(),
  "load": () => Deno.loadavg(),
  "memory": () => Deno.systemMemoryInfo(),
  "kill": () => Deno.kill(pid, "SIGCONT"),
  "node:process kill": async () => (await import("node:process")).kill(pid, "SIGCONT"),
  "change the working folder": () => Deno.chdir("/"),
  "load a library": () => Deno.dlopen("libc.so.6", {}),
  "ask for more": async () => {
    const { state } = await Deno.permissions.request({ name: "run" });
    if (state !== "granted") throw new Hidden(state);
  },
  "worker with more": () => startWorker(script("postMessage('up')"), { read: true }),
  "worker that reads": () => startWorker(script(READ_PASSWD)),
  "worker that runs": () => startWorker(script(RUN_TRUE)),
});

/** Denied without an exception. */
class Hidden extends Error {
  override readonly name = "Hidden";
}

/** Makes every attempt, one after the other, each for two seconds at most. */
export async function probe(target: ProbeTarget): Promise<Record<string, string>> {
  const results: Record<string, string> = {};
  const attempts = { ...files(target), ...network(target), ...system(target) };
  for (const [name, attempt] of Object.entries(attempts)) {
    results[name] = await outcome(attempt);
  }
  return results;
}

async function outcome(attempt: () => unknown): Promise<string> {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DOMException("No answer.", "TimeoutError")), 2_000);
  // node:dgram throws its denial past every handler, which would end the room.
  const onLoose = (event: ErrorEvent) => {
    event.preventDefault();
    reject(event.error);
  };
  globalThis.addEventListener("error", onLoose);
  try {
    await Promise.race([attempt(), failed]);
    return "ALLOWED";
  } catch (cause) {
    return isDenial(cause) ? "DENIED" : String(cause);
  } finally {
    clearTimeout(timer);
    globalThis.removeEventListener("error", onLoose);
  }
}

function isDenial(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  if (cause.name === "NotCapable" || cause instanceof Hidden) return true;
  // The module loader's way to say it, and that of node:net in 2.6 where somebody does listen.
  return cause.message.startsWith("Requires read access") ||
    cause.message.startsWith("connect ECONNREFUSED");
}

async function connectTo(hostname: string, port: number): Promise<void> {
  (await Deno.connect({ hostname, port })).close();
}

interface Emitter {
  on(event: string, listener: (argument: unknown) => void): unknown;
}

function eventOf(emitter: Emitter, event: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    emitter.on(event, resolve);
    emitter.on("error", reject);
  });
}

function openSocket(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve();
    socket.onerror = (event) => reject(new Hidden(String(event)));
  });
}

const READ_PASSWD = `
  try { Deno.readTextFileSync("/etc/passwd"); postMessage("up") } catch (e) { postMessage(e.name) }`;
const RUN_TRUE = `
  try { new Deno.Command("/bin/true").outputSync(); postMessage("up") } catch (e) { postMessage(e.name) }`;

const script = (code: string) => `data:application/javascript,${encodeURIComponent(code)}`;

/** Resolves when the worker posts `up`; rejects with the error's name that it posts, or its own end. */
function startWorker(url: string, permissions?: unknown): Promise<void> {
  const deno = permissions === undefined ? {} : { deno: { permissions } };
  const worker = new Worker(url, { type: "module", ...deno } as WorkerOptions);
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      worker.terminate();
      if (data === "up") resolve();
      else reject(Object.assign(new Error(), { name: data }));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
}
