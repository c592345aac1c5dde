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

export interface Tree {
  readonly entries: readonly Entry[];
  /** Why these are not all. */
  readonly missing?: string;
}

/**
 * The folder itself and all below it, what lies higher first; what vanishes meanwhile is left out. Links are not followed.
 *
 * @param without folders into which is not looked
 * @param most entries; a root has as many certificates as domains. Some seconds' work
 */
export async function readTree(
  root: string,
  without: readonly string[],
  most = 100_000,
): Promise<Tree> {
  const entries: Entry[] = [];
  const paths = [root];
  let missing: string | undefined;
  // It grows meanwhile.
  for (const path of paths) {
    const info = await Deno.lstat(path).catch(ignoreMissing);
    if (!info) continue;
    if (entries.length === most) {
      missing = `there are more than ${most} files and folders`;
      break;
    }
    entries.push({
      path,
      folder: info.isDirectory,
      special: !info.isDirectory && !info.isFile,
      uid: info.uid ?? 0,
      gid: info.gid ?? 0,
      mode: (info.mode ?? 0) & 0o7777,
      modified: info.mtime?.getTime() ?? 0,
    });
    if (!info.isDirectory || without.includes(path)) continue;
    try {
      for await (const { name } of Deno.readDir(path)) paths.push(join(path, name));
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) missing ??= `${path} can't be listed`;
    }
  }
  return { entries, ...(missing !== undefined && { missing }) };
}

function ignoreMissing(cause: unknown): undefined {
  if (!(cause instanceof Deno.errors.NotFound)) throw cause;
}
