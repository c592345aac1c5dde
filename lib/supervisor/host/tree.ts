/** Whose the files and folders under the root are, and who else may do what with them. */
import { join } from "node:path";

export interface Entry {
  readonly path: string;
  readonly folder: boolean;
  /** Neither a file nor a folder: a symlink, a socket. */
  readonly special: boolean;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, sticky and the like included. */
  readonly mode: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/**
 * The folder itself and all below it; what vanishes meanwhile is left out. Links are not followed.
 *
 * @param without folders into which is not looked
 * @param most entries; a root has as many certificates as domains
 */
export async function readTree(
  root: string,
  without: readonly string[],
  most = 20_000,
): Promise<readonly Entry[]> {
  const found: Entry[] = [];
  const paths = [root];
  for (let path = paths.pop(); path !== undefined && found.length < most; path = paths.pop()) {
    const info = await Deno.lstat(path).catch(ignoreMissing);
    if (!info) continue;
    found.push({
      path,
      folder: info.isDirectory,
      special: !info.isDirectory && !info.isFile,
      uid: info.uid ?? 0,
      gid: info.gid ?? 0,
      mode: (info.mode ?? 0) & 0o7777,
      modified: info.mtime?.getTime() ?? 0,
    });
    if (!info.isDirectory || without.includes(path)) continue;
    // One that this user may not list shows by its mode.
    const names = await namesIn(path).catch(() => []);
    paths.push(...names.map((name) => join(path, name)));
  }
  return found;
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

function ignoreMissing(cause: unknown): undefined {
  if (!(cause instanceof Deno.errors.NotFound)) throw cause;
}
