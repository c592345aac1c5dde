/** Peers from their own registries, once for each version; a reason where one can't be had here. */
import { join } from "node:path";

export interface Missing {
  readonly why: string;
}

const CACHE = new URL("../../../.cache/bench/", import.meta.url).pathname;
const PATIENCE_MS = 300_000;

export const here = (path: string): string => new URL(path, import.meta.url).pathname;

/**
 * A folder of the cache with what `steps` bring, each a program and its arguments, run in it. It bears the version of what
 * `pinned` says, so that another version is another folder.
 */
export async function install(
  name: string,
  pinned: string,
  steps: (folder: string) => readonly (readonly string[])[],
  env: (folder: string) => Readonly<Record<string, string>> = () => ({}),
): Promise<string | Missing> {
  const folder = join(CACHE, `${name}-${await digest(pinned)}`);
  const done = join(folder, "installed");
  if (await Deno.stat(done).catch(() => undefined)) return folder;
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder, { recursive: true });
  for (const [program, ...args] of steps(folder)) {
    const missing = await run(program, args, folder, env(folder));
    if (missing) return missing;
  }
  await Deno.writeTextFile(done, "");
  return folder;
}

async function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Missing | undefined> {
  try {
    const { success, stderr } = await new Deno.Command(program, {
      args: [...args],
      cwd,
      env,
      stdin: "null",
      stdout: "null",
      signal: AbortSignal.timeout(PATIENCE_MS),
    }).output();
    if (success) return undefined;
    const said = new TextDecoder().decode(stderr).trim().split("\n").findLast((line) =>
      line.trim()
    );
    return { why: `${program} could not bring it (${withoutHosts(said ?? "no reason given")})` };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return { why: `there is no ${program} here` };
    throw cause;
  }
}

/** Whose mirror it was is this machine's affair. */
const withoutHosts = (text: string) =>
  text.replaceAll(/\b\w+:\/\/\S+/g, "the registry").trim().slice(0, 120);

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(bytes).toHex().slice(0, 12);
}
