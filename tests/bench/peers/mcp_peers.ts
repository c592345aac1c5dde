/** The same tool on others' stacks, beside the same files: Node with Express, and Python with FastMCP. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { executable } from "../../support/agent.ts";
import type { Haproxy } from "../../support/haproxy.ts";
import { LEASH } from "../../support/leash.ts";
import { freePort } from "../../support/ports.ts";
import type { McpTarget } from "../mcp_load.ts";
import { here, install, type Missing } from "./install.ts";

export type Mode = "stateless" | "sessions";

export interface RunningPeer extends AsyncDisposable {
  readonly target: McpTarget;
}

const TOKEN = "bench-token";

/** Express 5 and the SDK's first line, with all tools registered. */
export async function openNodePeer(haproxy: Haproxy, mode: Mode): Promise<RunningPeer | Missing> {
  const lock = await Deno.readTextFile(here("./node/package-lock.json"));
  const folder = await install("node", lock, (folder) => [
    ["cp", here("./node/package.json"), here("./node/package-lock.json"), folder],
    ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
  ]);
  if (typeof folder !== "string") return folder;
  // Modules are looked for beside the script.
  const script = join(folder, "server.mjs");
  await Deno.copyFile(here("./node/server.mjs"), script);
  const definitions = join(haproxy.root, "tools.json");
  const { stdout } = await new Deno.Command(executable(), { args: ["tools", "--json"] }).output();
  await Deno.writeFile(definitions, stdout);
  return await run(["node", script, mode, definitions, haproxy.root, TOKEN], mode);
}

/** What the original is made of. */
export async function openFastMcpPeer(
  haproxy: Haproxy,
  mode: Mode,
): Promise<RunningPeer | Missing> {
  const requirements = here("./fastmcp/requirements.txt");
  const folder = await install("fastmcp", await Deno.readTextFile(requirements), (folder) => [
    ["python3", "-m", "venv", join(folder, "env")],
    [join(folder, "env/bin/pip"), "install", "--quiet", "--requirement", requirements],
  ]);
  if (typeof folder !== "string") return folder;
  const python = join(folder, "env/bin/python");
  return await run([python, here("./fastmcp/server.py"), mode, haproxy.root, TOKEN], mode);
}

/** @param command gets its port as the last argument */
async function run(command: readonly string[], mode: Mode): Promise<RunningPeer> {
  const port = freePort();
  const child = new Deno.Command("sh", {
    args: ["-c", `${LEASH} exec "$@" </dev/null`, "sh", ...command, String(port)],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const peer = {
    target: {
      url: `http://127.0.0.1:${port}/mcp`,
      token: TOKEN,
      speech: mode === "sessions" ? "2025 session" : "2025 stateless",
    } as const,
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await child.status;
    },
  };
  for (let waited = 0; waited < 30_000; waited += 100) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return peer;
    } catch {
      await delay(100);
    }
  }
  await peer[Symbol.asyncDispose]();
  throw new Error(`${command[0]} did not listen`);
}
