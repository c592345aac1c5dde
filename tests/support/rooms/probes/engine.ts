/** The engine itself: Deno's inner API, other contexts, the inspector, WebAssembly, and the standard streams. */
import {
  type Attempts,
  deno,
  globals,
  got,
  Hidden,
  innerApi,
  load,
  type Loose,
  type ProbeTarget,
  script,
  startWorker,
  there,
} from "./attempt.ts";

export const engine = ({ outside, nobodysPort, pid }: ProbeTarget): Attempts => ({
  "Deno.core": () => there(deno.core ?? globals.__bootstrap ?? globals.Deno.core),
  "inner operation that loads an addon": () =>
    there(innerApi().ops.op_napi_open)("/probe.node", ...Array(10).fill(() => {})),
  "inner operation that takes a socket by its number": () =>
    there(innerApi().ops.op_net_unix_stream_from_fd),
  "inner operation that reads a file": () =>
    there(innerApi().ops.op_fs_read_file_text_sync)("/etc/passwd"),
  "inner operation that requires a file": () =>
    there(innerApi().ops.op_require_read_file)("/etc/passwd"),
  "inner operation that makes a pointer": () => there(innerApi().ops.op_ffi_ptr_create)(4096n),
  "inner operation that connects": () =>
    there(innerApi().ops.op_net_connect_tcp)({ hostname: "127.0.0.1", port: nobodysPort }),
  "inner operation that kills": () => there(innerApi().ops.op_kill)(pid, "SIGCONT", "Deno.kill()"),
  "ext: modules": () => load("ext:core/ops"),
  "import an internal module": () => load("ext:deno_fs/30_fs.js"),
  "Function that reads": () => Function(`return Deno.readTextFileSync("/etc/passwd")`)(),
  "node:vm that reads": async () => {
    const vm = await import("node:vm");
    vm.runInThisContext(`Deno.readTextFileSync("/etc/passwd")`);
  },
  "node:vm with a context of its own": async () => {
    const vm = await import("node:vm");
    vm.runInNewContext(`D.readTextFileSync("/etc/passwd")`, { D: Deno });
  },
  "node:vm's own Deno": async () => {
    const vm = await import("node:vm");
    const found = vm.runInNewContext("typeof Deno === 'undefined' ? undefined : Deno") as Loose;
    there(found).readTextFileSync("/etc/passwd");
  },
  "node:inspector listens": async () => {
    const inspector = await import("node:inspector") as Loose;
    there(inspector.open)(0, "127.0.0.1");
    got(inspector.url());
    inspector.close();
  },
  "node:inspector that reads": async () => {
    const inspector = await import("node:inspector") as Loose;
    const session = new inspector.Session();
    session.connect();
    const expression = `Deno.readTextFileSync("/etc/passwd")`;
    const { exceptionDetails } = await new Promise<Loose>((resolve, reject) =>
      session.post(
        "Runtime.evaluate",
        { expression },
        (cause: Loose, result: Loose) => cause ? reject(cause) : resolve(result),
      )
    );
    session.disconnect();
    got(exceptionDetails === undefined);
  },
  "node:wasi": async () => {
    const { WASI } = await import("node:wasi") as Loose;
    there(new (there(WASI))({ version: "preview1", preopens: { "/": "/" } }).wasiImport);
  },
  "WebAssembly that imports a file": () => WebAssembly.compileStreaming(fetch(`file://${outside}`)),
  "V8's own functions": async () => {
    (await import("node:v8")).setFlagsFromString("--allow-natives-syntax");
    const call = "return %HaveSameMap({}, {})";
    try {
      Function(call)();
    } catch (cause) {
      throw cause instanceof SyntaxError ? new Hidden(cause.message) : cause;
    }
  },
  "V8's own functions in another context": async () => {
    const vm = await import("node:vm");
    (await import("node:v8")).setFlagsFromString("--allow-natives-syntax");
    try {
      vm.runInNewContext("%HaveSameMap({}, {})");
    } catch (cause) {
      throw (cause as Error).name === "SyntaxError" ? new Hidden("") : cause;
    }
  },
  "BroadcastChannel": () => new BroadcastChannel("probe").close(),
  "fetch in a worker": () =>
    startWorker(script(`fetch("http://127.0.0.1:${nobodysPort}/").then(() => postMessage("up"),
      (e) => postMessage(e.name))`)),
});

/** Handles on the process's standard streams: stdout is the protocol's in `stdio`. */
export const streams = (): Attempts => ({
  "stdin": () => got(Deno.stdin.readSync(new Uint8Array(1)) !== undefined),
  "stdin's raw mode": () => Deno.stdin.setRaw(false),
  "stdout": () => Deno.stdout.writeSync(new Uint8Array()),
  "stdout by console": () => console.log(PROBED),
  "stdout by node:fs": async () => (await import("node:fs")).writeSync(1, PROBED),
  "stdout by node:process": async () => {
    const { default: process } = await import("node:process") as Loose;
    await new Promise<void>((resolve, reject) => {
      process.stdout.on("error", reject);
      process.stdout.write(PROBED, (cause: unknown) => cause ? reject(cause) : resolve());
    });
  },
  "stdin by node:fs": async () => (await import("node:fs")).readSync(0, new Uint8Array(1)),
  "stderr": () => Deno.stderr.writeSync(new Uint8Array()),
});

/** Nothing else writes this. */
export const PROBED = "written by a probe\n";
