/** A process that makes the probe's attempts with every permission, each on files of its own; prints what came of them. */
import cluster from "node:cluster";
import { join } from "node:path";
import { allKinds, probe } from "../support/rooms/probe.ts";

// One of the attempts starts this program again.
if (cluster.isWorker) Deno.exit();

const folder = Deno.args[0];
const root = join(folder, "root");
const outside = join(folder, "outside/secret");

async function prepare(): Promise<void> {
  Deno.umask(0o022);
  Deno.chdir(folder);
  for (const name of await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)) {
    await Deno.remove(join(folder, name), { recursive: true });
  }
  for (const name of ["conf", "data"]) await Deno.mkdir(join(root, name), { recursive: true });
  await Deno.mkdir(join(folder, "outside"));
  await Deno.writeTextFile(join(root, "conf/domains.map"), "");
  await Deno.writeTextFile(
    outside,
    `if (globalThis.name === "probe") postMessage("up"); export {};`,
  );
  await Deno.writeTextFile(`${outside}.json`, "{}");
  await Deno.writeTextFile(`${outside}.cjs`, "");
  await Deno.symlink(outside, join(root, "conf/leads-out"));
}

const serve = (hostname: string) =>
  Deno.serve({ hostname, port: 0, onListen: () => {} }, () => new Response("{}")).addr.port;
const child = new Deno.Command("sleep", { args: ["600"] }).spawn();
const results = await probe({
  root,
  apiPort: serve("127.0.0.1"),
  otherPort: serve("127.0.0.1"),
  nobodysPort: serve("0.0.0.0"),
  outside,
  link: join(root, "conf/leads-out"),
  pid: child.pid,
  // Names would be looked up.
  kinds: allKinds.filter((kind) => kind !== "names" && kind !== "streams"),
}, prepare);
child.kill("SIGKILL");
await child.status;
console.log(JSON.stringify(results));
Deno.exit();
