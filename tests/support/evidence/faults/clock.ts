/**
 * A wall clock that jumps under a running program: libfaketime between it and the system. The monotonic clock, by which
 * timers and deadlines go, stays the machine's.
 */
import { join } from "node:path";
import { type Serve, startServe } from "../../agent.ts";
import type { Haproxy } from "../../haproxy.ts";

export interface Clock extends AsyncDisposable {
  /** Starts `serve` under it. */
  serve(haproxy: Haproxy): Promise<Serve>;
  /** Seconds, from the machine's own time. */
  readonly offset: number;
  jump(offset: number): Promise<void>;
}

export async function openClock(offset = 0): Promise<Clock> {
  const library = Deno.env.get("LIBFAKETIME");
  if (!library) {
    throw new Error("LIBFAKETIME is not set: it has to be the path of libfaketimeMT.so.1");
  }
  const folder = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  const file = join(folder, "offset");
  let now = offset;

  /** Renamed, so that it is read whole. */
  async function jump(to: number): Promise<void> {
    now = to;
    await Deno.writeTextFile(`${file}.new`, `${to < 0 ? "" : "+"}${to}\n`);
    await Deno.rename(`${file}.new`, file);
  }

  await jump(offset);
  const settings = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    FAKETIME_DONT_RESET: "1",
    // Files bear the machine's time.
    NO_FAKE_STAT: "1",
  };
  const wrapper = ["env", ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)];
  const pids: number[] = [];

  return {
    async serve(haproxy) {
      const agent = await startServe(haproxy, { wrapper, env: { MCP_RATE: "0" } });
      pids.push(agent.pid);
      return agent;
    },
    get offset() {
      return now;
    },
    jump,
    async [Symbol.asyncDispose]() {
      await Deno.remove(folder, { recursive: true });
      // What the library shares with its process's children, and leaves behind when that is killed.
      for (const pid of pids) {
        for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) {
          await Deno.remove(join("/dev/shm", name)).catch(() => {});
        }
      }
    },
  };
}
