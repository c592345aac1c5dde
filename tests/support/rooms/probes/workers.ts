/** Workers within the room: each may have at most what the room has, however it is asked for. */
import {
  type Attempts,
  type Loose,
  type ProbeTarget,
  script,
  startWorker,
  trying,
} from "./attempt.ts";

const READ = trying(`Deno.readTextFileSync("/etc/passwd")`);
const RUN = trying(`new Deno.Command("/bin/true").outputSync()`);
const ENV = trying(`Deno.env.get("PATH")`);
const UP = trying("");

export function workers({ nobodysPort }: ProbeTarget): Attempts {
  const connect = trying(`await Deno.connect({ hostname: "127.0.0.1", port: ${nobodysPort} })`);
  const nested = (code: string) =>
    `const w = new Worker("${
      script(code)
    }", { type: "module" }); w.onmessage = (e) => postMessage(e.data)`;
  const grants: Readonly<Record<string, unknown>> = {
    "every file": { read: true },
    "one file": { read: ["/etc/passwd"] },
    "a file by ..": { read: ["/tmp/../etc"] },
    "every write": { write: true },
    "every address": { net: true },
    "one address": { net: [`127.0.0.1:${nobodysPort}`] },
    "one host": { net: ["127.0.0.1"] },
    "programs": { run: true },
    "one program": { run: ["/bin/true"] },
    "the environment": { env: true },
    "one variable": { env: ["PATH"] },
    "the machine": { sys: true },
    "libraries": { ffi: true },
    "imports": { import: true },
  };
  const blob = (code: string) =>
    URL.createObjectURL(new Blob([code], { type: "application/javascript" }));
  return {
    ...Object.fromEntries(
      Object.entries(grants).map(([name, permissions]) => [
        `worker with ${name}`,
        () => startWorker(script(UP), permissions),
      ]),
    ),
    "worker that reads": () => startWorker(script(READ)),
    "worker that runs": () => startWorker(script(RUN)),
    "worker that connects": () => startWorker(script(connect)),
    "worker that reads the environment": () => startWorker(script(ENV)),
    "inheriting worker that reads": () => startWorker(script(READ), "inherit"),
    "inheriting worker that runs": () => startWorker(script(RUN), "inherit"),
    "worker that inherits all reading": () => startWorker(script(READ), { read: "inherit" }),
    "worker that inherits all programs": () => startWorker(script(RUN), { run: "inherit" }),
    "worker of a blob that reads": () => startWorker(blob(READ)),
    "worker of a blob that runs": () => startWorker(blob(RUN), "inherit"),
    "worker of a worker that reads": () => startWorker(script(nested(READ))),
    "worker that asks for more": () =>
      startWorker(script(trying(`
        const { state } = await Deno.permissions.request({ name: "read" });
        if (state !== "granted") throw Object.assign(new Error(), { name: "NotCapable" })`))),
    "node:worker_threads that reads": () => startThread(`Deno.readTextFileSync("/etc/passwd")`),
    "node:worker_threads that runs": () =>
      startThread(`new Deno.Command("/bin/true").outputSync()`),
    "node:worker_threads with an environment": () =>
      startThread(
        `if (!process.env.PATH) throw Object.assign(new Error(), { name: "NotCapable" })`,
        {
          env: "SHARE",
        },
      ),
    "node:worker_threads by node:fs": () =>
      startThread(`require("node:fs").readFileSync("/etc/passwd")`),
  };
}

async function startThread(code: string, options: Loose = {}): Promise<void> {
  const { Worker, SHARE_ENV } = await import("node:worker_threads");
  const body = `
    const { parentPort } = require("node:worker_threads");
    try { ${code}; parentPort.postMessage("up") } catch (e) { parentPort.postMessage(e.name) }`;
  const env = options.env === "SHARE" ? { env: SHARE_ENV } : {};
  const worker = new Worker(body, { eval: true, ...env } as Loose);
  try {
    const said = await new Promise((resolve, reject) => {
      worker.on("message", resolve);
      worker.on("error", reject);
    });
    if (said !== "up") throw Object.assign(new Error(), { name: said });
  } finally {
    await worker.terminate();
  }
}
