/** The file of a backup, wherever a person wants it: written whole or not at all, for its owner's eyes; `-` is stdout or stdin. */
import { dirname, join } from "node:path";
import { MAX_ARCHIVE } from "../backup/limits.ts";
import { writeAll } from "../bytes.ts";
import { AgentError } from "../errors.ts";

export const STANDARD = "-";

/** Throws CONFLICT where there is something of that name, STATE_IO where there is no folder for it. */
export async function assertFree(path: string): Promise<void> {
  const isThere = (path: string, unknown?: boolean) =>
    Deno.lstat(path).then(() => true, (cause) => {
      if (cause instanceof Deno.errors.NotFound) return false;
      if (unknown !== undefined && cause instanceof Deno.errors.NotCapable) return unknown;
      throw cannot("write", path, cause);
    });
  if (await isThere(path)) throw exists(path);
  // Of /root itself nothing can be seen, since /root/.ssh is denied to the executable.
  if (!await isThere(dirname(path), true)) {
    throw cannot("write", path, new Error("there is no such folder"));
  }
}

/**
 * Throws CONFLICT where there is something of that name and it is not to be replaced, STATE_IO.
 *
 * @param replace also a file that is there
 */
export async function writeArchive(
  path: string,
  content: Uint8Array,
  replace: boolean,
): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.haproxy-mcp-backup-${crypto.randomUUID()}`);
  try {
    await writeSynced(temporary, content);
    try {
      if (replace) await Deno.rename(temporary, path);
      else await linkOrMove(temporary, path);
    } finally {
      await Deno.remove(temporary).catch(() => {});
    }
    await syncFolder(folder);
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw cause instanceof Deno.errors.AlreadyExists ? exists(path) : cannot("write", path, cause);
  }
}

/** Nor can /root be opened. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await Deno.open(folder).catch((cause) => {
    if (!(cause instanceof Deno.errors.NotCapable)) throw cause;
  });
  if (!handle) return;
  await handle.sync().finally(() => handle.close());
}

/** A link fails where somebody else made the file in the meantime; not every file system knows links. */
async function linkOrMove(temporary: string, path: string): Promise<void> {
  try {
    await Deno.link(temporary, path);
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) throw cause;
    await assertFree(path);
    await Deno.rename(temporary, path);
  }
}

async function writeSynced(path: string, content: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
  await writeAll(file, content);
  await file.sync();
}

/**
 * Throws NOT_FOUND, STATE_IO, STATE_CORRUPT for one that is too large.
 *
 * @returns and whose it is; stdin is the caller's
 */
export async function readArchive(
  path: string,
): Promise<{ readonly content: Uint8Array; readonly uid?: number }> {
  try {
    if (path !== STANDARD) {
      // A pipe would block the opening.
      if (!(await Deno.stat(path)).isFile) throw new Error("it is not a file");
      using file = await Deno.open(path);
      const uid = (await file.stat()).uid ?? 0;
      return { content: await readBounded(file.readable, path), uid };
    }
    return { content: await readBounded(Deno.stdin.readable, "stdin") };
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    if (!(cause instanceof Deno.errors.NotFound)) throw cannot("read", path, cause);
    throw new AgentError("NOT_FOUND", `There is no ${path}.`, {
      hint: "`haproxy-mcp backup FILE` writes one.",
    });
  }
}

async function readBounded(stream: ReadableStream<Uint8Array>, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > MAX_ARCHIVE) {
      throw new AgentError("STATE_CORRUPT", `${name} is larger than ${MAX_ARCHIVE} bytes.`, {
        hint: "No backup is. Nothing was changed.",
      });
    }
    chunks.push(new Uint8Array(chunk));
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

const exists = (path: string) =>
  new AgentError("CONFLICT", `${path} exists.`, {
    hint: "Give another name, or --force to replace it.",
  });

function cannot(what: string, path: string, cause: unknown): AgentError {
  return new AgentError("STATE_IO", `Could not ${what} ${path}: ${why(cause)}.`, {
    hint: "Look at the folder, its owner and its free space, or give another place.",
    cause,
  });
}

function why(cause: unknown): string {
  // Compiled in: the system's own folders.
  if (cause instanceof Deno.errors.NotCapable) return "haproxy-mcp has no right to that place";
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/\.$/, "");
}
