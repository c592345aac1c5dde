/**
 * MCP programs by others, of tests/clients: run to their end with a home of their own, so that they leave nothing behind.
 *
 *     const { stdout } = await runClient("node", [clientFile("x/cli.js"), "--help"]);
 *
 * Needs CLIENTS, which scripts/setup.sh --tests sets.
 */
import { join } from "node:path";
import type { Run } from "./agent.ts";

export interface ClientOptions {
  /** Laid over PATH, HOME, TMPDIR and NO_COLOR: nothing else is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads on stdin. @default {nothing} */
  readonly input?: string;
  /** Called before the home is removed. */
  readonly look?: (home: string) => Promise<void>;
}

/** Milliseconds until a program counts as stuck. */
const PATIENCE = 120_000;

/** The folder in which the packages lie: `node_modules`, and the lock that they were brought by. */
export function clientsFolder(): string {
  const folder = Deno.env.get("CLIENTS");
  if (!folder) throw new Error("CLIENTS is not set: run the tests by scripts/test.sh");
  return folder;
}

/** A file of a package, by its path from node_modules. */
export const clientFile = (path: string): string => join(clientsFolder(), "node_modules", path);

/** @param args from the path of its home */
export async function runClient(
  program: string,
  args: readonly string[] | ((home: string) => readonly string[]),
  { env, input = "", look }: ClientOptions = {},
): Promise<Run> {
  const home = await Deno.makeTempDir({ prefix: "haproxy-mcp-client-" });
  try {
    const child = new Deno.Command(program, {
      args: [...typeof args === "function" ? args(home) : args],
      cwd: clientsFolder(),
      clearEnv: true,
      env: {
        PATH: Deno.env.get("PATH") ?? "",
        HOME: home,
        TMPDIR: home,
        NO_COLOR: "1",
        ...env,
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(PATIENCE),
    }).spawn();
    const feeding = new Response(input).body!.pipeTo(child.stdin);
    const { code, stdout, stderr } = await child.output();
    // A program that ends without having read its input is judged by its exit code.
    await feeding.catch(() => {});
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    await look?.(home);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}
