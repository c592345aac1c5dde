/** A second HAProxy on the Runtime API's port of another one: the kernel lets both listen, unless one says noreuseport. */
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { type Haproxy, haproxyBinary, type HaproxyVersion } from "./haproxy.ts";
import { runtimePid } from "./haproxy_cli.ts";
import { LEASH } from "./leash.ts";

export interface Rival extends AsyncDisposable {
  readonly pid: number;
  stop(): Promise<void>;
}

/** Resolves once connections reach both. */
export async function startRival(
  { options: { api }, runtime }: Haproxy,
  version: HaproxyVersion = "3.2",
): Promise<Rival> {
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  const config = join(folder, "haproxy.cfg");
  await Deno.writeTextFile(
    config,
    `global\n    stats socket ipv4@${api.address}:${api.port} level admin\n`,
  );
  const child = new Deno.Command("sh", {
    args: ["-c", `${LEASH} exec "$@" >/dev/null 2>&1 </dev/null`, "sh"]
      .concat(haproxyBinary(version), "-db", "-f", config),
    stdin: "piped",
  }).spawn();
  let ended: Promise<void> | undefined;
  const stop = () =>
    ended ??= (async () => {
      child.kill("SIGKILL");
      await child.status;
      await child.stdin.close();
      await Deno.remove(folder, { recursive: true });
    })();
  try {
    await eventually(async () => await runtimePid(runtime) === child.pid);
  } catch (cause) {
    await stop();
    throw cause;
  }
  return { pid: child.pid, stop, [Symbol.asyncDispose]: stop };
}
