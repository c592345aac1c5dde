/** The executable itself: how soon it answers, what it keeps in memory, how large it is. */
import { setTimeout as delay } from "node:timers/promises";
import { executable, startServe } from "../../support/agent.ts";
import { freePort } from "../../support/ports.ts";
import { callAll, times } from "../mcp_load.ts";
import { type Line, notHere, type Row, within } from "../row.ts";
import { openHaproxy, openSite } from "../site.ts";
import { median } from "../statistics.ts";

const READ = { tool: "haproxy_list_domains" };
const SITE = { pools: 20, slots: 10, served: 20 };

export const start: Row = {
  name: "start",
  async measure(scale) {
    await using haproxy = await openHaproxy(SITE);
    // The first start brings HAProxy in line and writes the token.
    const token = await (async () => {
      await using agent = await startServe(haproxy);
      return agent.token;
    })();
    const ms: number[] = [];
    for (let round = 0; round < (scale === "full" ? 15 : 2); round++) {
      const port = freePort();
      const began = performance.now();
      const starting = startServe(haproxy, { env: { MCP_PORT: String(port), MCP_RATE: "0" } });
      const url = `http://127.0.0.1:${port}/mcp`;
      await firstAnswer(() => callAll({ url, token, speech: "2026" }, [READ]));
      ms.push(performance.now() - began);
      await (await starting)[Symbol.asyncDispose]();
    }
    return [within(150, "ms", "`serve`, from exec to the answer of a tools/call", median(ms))];
  },
};

async function firstAnswer(call: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < 5_000; tries++) {
    try {
      await call();
      return;
    } catch (cause) {
      if (!(cause instanceof Deno.errors.ConnectionRefused)) throw cause;
      await delay(1);
    }
  }
  throw new Error("serve did not answer");
}

export const memory: Row = {
  name: "memory",
  async measure(scale) {
    await using site = await openSite(SITE);
    await delay(scale === "full" ? 10_000 : 500);
    const idle = await residentMb(site.agent.pid);
    const part = scale === "full" ? 25_000 : 500;
    const after: number[] = [];
    for (let quarter = 0; quarter < 4; quarter++) {
      await callAll(site.target(), times(part, READ), 8);
      after.push(await residentMb(site.agent.pid));
    }
    return [
      within(110, "MB", "resident memory of `serve`, idle", idle),
      within(
        200,
        "MB",
        `after ${(part * 4).toLocaleString("en")} calls ` +
          `(after each quarter: ${after.map(Math.round).join(", ")})`,
        after.at(-1)!,
      ),
    ];
  },
};

async function residentMb(pid: number): Promise<number> {
  // Deno itself reads nothing of another process without all permissions.
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/status`] }).output();
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(new TextDecoder().decode(stdout))!;
  return Number(kib) * 1024 / 1e6;
}

export const size: Row = {
  name: "size",
  async measure(scale): Promise<readonly Line[]> {
    const { size } = await Deno.stat(executable());
    const lines = [within(95, "MB", "the executable", size / 1e6)];
    const what = "the same under `zstd -19`";
    if (scale === "short") return [...lines, notHere(what, "≤ 28 MB", "it takes a minute")];
    const packed = await compressed(executable());
    return [
      ...lines,
      packed === undefined
        ? notHere(what, "≤ 28 MB", "there is no zstd here")
        : within(28, "MB", what, packed / 1e6),
    ];
  },
};

/** Bytes; undefined where there is no zstd. */
async function compressed(path: string): Promise<number | undefined> {
  try {
    const zstd = new Deno.Command("zstd", {
      args: ["-19", "-T0", "-q", "-c", path],
      stdout: "piped",
    }).spawn();
    let bytes = 0;
    for await (const chunk of zstd.stdout) bytes += chunk.length;
    if (!(await zstd.status).success) throw new Error("zstd failed");
    return bytes;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}
