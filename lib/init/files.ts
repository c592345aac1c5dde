/** Files that `init` writes: each by temporary file, fsync and rename, so that a crash leaves no half of one. */
import { basename, dirname, join } from "node:path";

export interface WrittenFile {
  readonly path: string;
  readonly outcome: "written" | "kept" | "replaced";
}

/** Leaves what exists; `content` is asked for only where nothing does. */
export async function create(
  path: string,
  mode: number,
  content: () => string | Promise<string>,
): Promise<WrittenFile> {
  if (await exists(path)) return { path, outcome: "kept" };
  const temporary = await writeBeside(path, mode, await content());
  try {
    // A link and not a rename: it fails where somebody else made the file in the meantime.
    await Deno.link(temporary, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return { path, outcome: "kept" };
  } finally {
    await Deno.remove(temporary);
  }
  await sync(dirname(path));
  return { path, outcome: "written" };
}

/** Takes the place of what exists. The new file has the old one's owner where this process may give it away. */
export async function replace(path: string, mode: number, content: string): Promise<WrittenFile> {
  const old = await stat(path);
  const temporary = await writeBeside(path, mode, content);
  if (old) await Deno.chown(temporary, old.uid, old.gid).catch(() => {});
  await Deno.rename(temporary, path);
  await sync(dirname(path));
  return { path, outcome: old ? "replaced" : "written" };
}

/** As `replace`, but a file that holds just this is left as it is. */
export async function renew(path: string, mode: number, content: string): Promise<WrittenFile> {
  if (await textOf(path) === content) return { path, outcome: "kept" };
  return await replace(path, mode, content);
}

/** The text, or undefined where there is no such file. */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  return await stat(path) !== undefined;
}

async function stat(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function writeBeside(path: string, mode: number, content: string): Promise<string> {
  const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}`);
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(temporary, content, { createNew: true, mode });
  await sync(temporary);
  return temporary;
}

/** For a folder: the names in it. */
async function sync(path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.sync();
}
