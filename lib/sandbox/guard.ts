/**
 * The path guard. Deno's permissions keep the tools room under HAPROXY_ROOT, but follow a symlink that
 * somebody else put there; so every path is resolved here first, and links are refused.
 */
import { dirname, join } from "node:path";
import { AgentError } from "../errors.ts";

/**
 * Throws STATE_IO unless `path`, whose folder must exist, lies under `root` with no symlink leading out,
 * and is itself no symlink. `root` is real (no links in it). Synchronous: it answers from the inode cache, and leaves
 * the least time between the look and the use.
 */
export function guard(root: string, path: string): void {
  guardFolder(root, dirname(path), path);
  if (lstat(path)?.isSymlink) throw outside(path, "it is a symlink", root);
}

/**
 * Whether `file`, opened by `path` after `guard`, is what lies there, under `root`: then it is no file that a symlink led to,
 * put there between the two. False also where somebody has replaced the file meanwhile, as every commit does: open again.
 */
export function isStillAt(root: string, path: string, file: Deno.FsFile): boolean {
  guardFolder(root, dirname(path), path);
  const { dev, ino } = file.statSync();
  const named = lstat(path);
  return named !== undefined && !named.isSymlink && named.dev === dev && named.ino === ino;
}

/** Throws STATE_IO unless `folder`, which must exist, is `root` or lies under it with no symlink leading out. */
export function guardFolder(root: string, folder: string, path = folder): void {
  const real = Deno.realPathSync(folder);
  if (real !== root && !real.startsWith(`${root}/`)) {
    throw outside(path, `its folder is ${real}`, root);
  }
}

function outside(path: string, why: string, root: string): AgentError {
  return new AgentError("STATE_IO", `${path} is not used: ${why}.`, {
    hint: `Put a plain file under ${root} in its place.`,
  });
}

/** Undefined where there is nothing. */
export function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw cause;
  }
}

/** Symlinks below `root` that lead out of it, or nowhere; at most `limit` of them. Folders are walked, links are not. */
export async function findEscapes(root: string, limit = 10): Promise<string[]> {
  const found: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const entry of Deno.readDir(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory) folders.push(path);
      if (!entry.isSymlink) continue;
      const real = await Deno.realPath(path).catch(() => "");
      if (real !== root && !real.startsWith(`${root}/`)) found.push(path);
      if (found.length >= limit) return found;
    }
  }
  return found;
}
