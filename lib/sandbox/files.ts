/** Files under the root: durable replacement, appending, and errors that name the file. Every path passes the guard. */
import { basename, dirname, join } from "node:path";
import { readWhole, writeAll } from "../bytes.ts";
import { AgentError } from "../errors.ts";
import { give, ownerOf, settle } from "../owners.ts";
import { guard, guardFolder, isStillAt } from "./guard.ts";
import { isOutOfReach, isRoots } from "./reach.ts";

const STAGED = ".tmp";
/** A file that is replaced so often while it is opened is not one that somebody just writes. */
const OPENINGS = 20;
const LEFT_BEHIND = /\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;

/** What tells whether a file was written since: a replaced file has another inode or time. */
export type Signature = string;

export interface StagedFile {
  /** Where the text lies until then, in the file's folder. A name that begins with a dot: HAProxy reads no such certificate. */
  readonly path: string;
  /** What `signature` says of the file once it is in place, and nobody has written it since. */
  readonly signature: Signature;
  /** Puts the new text in place (rename). Durable only after `syncFolders`. */
  commit(): Promise<void>;
  discard(): Promise<void>;
}

export interface RootFiles {
  readonly root: string;
  /**
   * The text, or undefined where there is no such file.
   *
   * What is no file, and might never end, is STATE_IO.
   *
   * @param atMost bytes; a larger file is STATE_IO, too
   */
  read(path: string, atMost?: number): Promise<string | undefined>;
  /** The same of a file that need not be text. */
  readBytes(path: string, atMost?: number): Promise<Uint8Array | undefined>;
  /** Writes and fsyncs the new content beside the file. */
  stage(path: string, content: string | Uint8Array, options?: StageOptions): Promise<StagedFile>;
  /** stage + commit + fsync of the folder. A failure leaves the text that was there. */
  replace(path: string, content: string | Uint8Array, mode?: Mode): Promise<void>;
  /** Puts a staged file in its place, also one that another process staged. */
  move(staged: string, path: string): Promise<void>;
  /** There may be none. */
  remove(path: string): Promise<void>;
  /** We are root, the agent is another user, and this is not within its reach: only `StageOptions.roots` replaces it. */
  isRootsAlone(path: string): boolean;
  /** The names of what is no folder in a folder; none where there is no folder. */
  names(folder: string): Promise<string[]>;
  /** Permission bits of a file or folder, those for setuid and setgid included; undefined where there is none. */
  mode(path: string): Promise<number | undefined>;
  /** fsyncs the folders of these files, so that their renames last. */
  syncFolders(paths: readonly string[]): Promise<void>;
  /** Opens a file for reading and appending, made with mode 0600 if missing. */
  openAppend(path: string): Promise<Deno.FsFile>;
  /** Opens the lock's file for reading and writing, made with mode 0600 if missing. */
  openLock(path: string): Promise<Deno.FsFile>;
  /** Synchronous, as it is asked for on every call and answers from the inode cache. */
  signature(path: string): Signature;
  makeFolder(path: string): Promise<void>;
  /**
   * Removes what a crash left of staged files, but for those to be kept. Under the lock only: another process may be about
   * to commit its own.
   */
  removeStaged(folder: string, kept?: readonly string[]): Promise<void>;
}

/** Of a new file, an existing one keeps its own; or of both. */
export type Mode = number | { readonly always: number };

export interface StageOptions {
  /** @default {0o644} */
  readonly mode?: Mode;
  /** It is root's where root makes it, and may replace what is root's alone: a person has said so, and no journal. */
  readonly roots?: boolean;
}

/**
 * Opens the root. `root` must exist; links in its own path are resolved once, here.
 *
 * What root makes there belongs to the agent's user, which is the one that data/ belongs to: it could not write it else.
 *
 * @param uid whose this process is; undefined: no matter, as it is not root or the agent is
 */
export async function openRoot(root: string, uid?: number): Promise<RootFiles> {
  const real = await Deno.realPath(root);
  const agent = await Deno.lstat(join(real, "data")).then(ownerOf, () => undefined);
  const isRootsAlone = (path: string) =>
    uid === 0 && agent !== undefined && agent.uid !== 0 && isOutOfReach(path, agent);
  const isStaged = (path: string) => LEFT_BEHIND.test(basename(path));

  /** Not for a journal's sake. */
  function assertNotRoots(path: string, unless = () => false): void {
    if (!isRootsAlone(path) || unless()) return;
    throw new AgentError("STATE_IO", `${path} is root's alone, and not the agent's to change.`, {
      hint:
        "Nothing was done with it. A journal that names it is damaged, or somebody has forged it.",
    });
  }

  async function guarded<T>(
    what: string,
    path: string,
    act: () => Promise<T>,
    check = guard,
  ): Promise<T> {
    try {
      check(real, path);
      return await act();
    } catch (cause) {
      throw ioError(what, path, cause);
    }
  }

  /** Within `guarded`. Sync: a hop to another thread costs more, and there may be a thousand of such files. */
  function openToRead(path: string): Deno.FsFile {
    for (let opening = 0; opening < OPENINGS; opening++) {
      if (opening > 0) guard(real, path);
      const file = Deno.openSync(path);
      if (isStillAt(real, path, file)) return file;
      file.close();
    }
    throw new Error("it is replaced over and over");
  }

  /** Within `guarded`. Makes it with mode 0600 where it is missing, but never where a symlink says. */
  async function openToWrite(path: string, options: Deno.OpenOptions): Promise<Deno.FsFile> {
    for (let opening = 0; opening < OPENINGS; opening++) {
      if (opening > 0) guard(real, path);
      const file = await Deno.open(path, options).catch(ignoreMissing) ?? await make(path, options);
      if (file && isStillAt(real, path, file)) return file;
      file?.close();
    }
    throw new Error("it is replaced over and over");
  }

  async function make(path: string, options: Deno.OpenOptions): Promise<Deno.FsFile | undefined> {
    const file = await Deno.open(path, { ...options, createNew: true, mode: 0o600 })
      .catch(ignoreExisting);
    if (file) settle(path, file, { owner: agent });
    return file;
  }

  async function takeBack(path: string, old: Uint8Array): Promise<void> {
    const staged = await files.stage(path, old);
    await staged.commit().catch(() => staged.discard());
  }

  const files: RootFiles = {
    root: real,
    async read(path, atMost) {
      const bytes = await files.readBytes(path, atMost);
      return bytes && decode(bytes);
    },
    readBytes: (path, atMost) =>
      guarded("read", path, async () => {
        try {
          // A pipe would block the opening.
          checkSize(Deno.statSync(path), atMost);
          using file = openToRead(path);
          const info = file.statSync();
          checkSize(info, atMost);
          return await readWhole(file, info.size);
        } catch (cause) {
          if (cause instanceof Deno.errors.NotFound) return undefined;
          throw cause;
        }
      }),
    stage: (path, content, { mode: wanted = 0o644, roots = false } = {}) =>
      guarded("write", path, async () => {
        if (!roots) assertNotRoots(path);
        const old = await Deno.stat(path).catch(() => undefined);
        if (old && !old.isFile) throw new Error("it is not a file");
        // The rename needs no right to the file itself, and would replace one that was made read-only.
        if (old) (await Deno.open(path, { write: true })).close();
        const name = `.${basename(path).slice(0, 200)}.${crypto.randomUUID()}${STAGED}`;
        const temp = join(dirname(path), name);
        const mode = typeof wanted === "number" ? (old?.mode ?? wanted) & 0o777 : wanted.always;
        try {
          using file = await Deno.open(temp, { write: true, createNew: true, mode: 0o600 });
          await writeAll(file, toBytes(content));
          if (!isStillAt(real, temp, file)) throw new Error("somebody replaced it");
          // The umask must not decide whether HAProxy can read the file.
          const owner = roots ? undefined : agent;
          settle(temp, file, { mode, old: ownerOf(old), owner });
          await file.sync();
        } catch (cause) {
          await Deno.remove(temp).catch(() => {});
          throw cause;
        }
        return {
          path: temp,
          signature: files.signature(temp),
          commit: () => files.move(temp, path),
          discard: () => Deno.remove(temp).catch(() => {}),
        };
      }),
    async replace(path, content, mode) {
      const old = await files.readBytes(path);
      const staged = await files.stage(path, content, { mode });
      await staged.commit().catch(async (cause) => {
        await staged.discard();
        throw cause;
      });
      await files.syncFolders([path]).catch(async (cause) => {
        // Readers have it already, and it may not last: whoever is refused finds what was there before.
        await (old === undefined ? files.remove(path) : takeBack(path, old)).catch(() => {});
        throw cause;
      });
    },
    move: (staged, path) =>
      guarded("write", path, async () => {
        guard(real, staged);
        assertNotRoots(path, () => isStaged(staged) && isRoots(staged));
        assertNotRoots(staged, () => isStaged(staged));
        await Deno.rename(staged, path);
      }),
    isRootsAlone,
    async remove(path) {
      // Nor need there be a folder.
      if (files.signature(path) === "missing") return;
      await guarded("remove", path, async () => {
        assertNotRoots(path, () => isStaged(path));
        await Deno.remove(path).catch(ignoreMissing);
      });
    },
    names: (folder) =>
      guarded("read", folder, async () => {
        const entries = await Array.fromAsync(Deno.readDir(folder));
        return entries.filter(({ isDirectory }) => !isDirectory).map(({ name }) => name).sort();
      }, guardFolder).catch((cause) => {
        if (cause.cause instanceof Deno.errors.NotFound) return [];
        throw cause;
      }),
    mode: (path) =>
      guarded("read", path, async () => {
        const info = await Deno.stat(path).catch(ignoreMissing);
        return info?.mode === undefined ? undefined : info.mode! & 0o7777;
      }),
    async syncFolders(paths) {
      for (const folder of new Set(paths.map(dirname))) {
        await guarded("sync", folder, async () => {
          using handle = await Deno.open(folder);
          await handle.sync();
        }, guardFolder);
      }
    },
    openAppend: (path) =>
      guarded("open", path, () => openToWrite(path, { read: true, append: true })),
    openLock: (path) => guarded("open", path, () => openToWrite(path, { read: true, write: true })),
    signature(path) {
      try {
        const { ino, size, mtime } = Deno.statSync(path);
        return `${ino}:${size}:${mtime?.getTime()}`;
      } catch (cause) {
        if (cause instanceof Deno.errors.NotFound) return "missing";
        throw ioError("read", path, cause);
      }
    },
    makeFolder: (path) =>
      guarded("make", path, async () => {
        if (files.signature(path) !== "missing") return;
        await Deno.mkdir(path, { recursive: true, mode: 0o750 });
        give(path, agent);
      }),
    removeStaged: (folder, kept = []) =>
      guarded("read", folder, async () => {
        for await (const { name, isFile } of Deno.readDir(folder)) {
          const path = join(folder, name);
          if (!isFile || !isStaged(path) || kept.includes(path)) continue;
          await Deno.remove(path).catch((cause) => {
            // Root's, in a folder of root's: for root to remove.
            if (!(cause instanceof Deno.errors.PermissionDenied)) throw cause;
          });
        }
      }, guardFolder),
  };
  return files;
}

function ignoreMissing(cause: unknown): undefined {
  if (!(cause instanceof Deno.errors.NotFound)) throw cause;
}

function ignoreExisting(cause: unknown): undefined {
  if (!(cause instanceof Deno.errors.AlreadyExists)) throw cause;
}

/** As Deno.readTextFile does: a byte order mark is a character. */
const decode = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

function checkSize({ isFile, size }: Deno.FileInfo, atMost = Infinity): void {
  if (!isFile) throw new Error("it is not a file");
  if (size > atMost) throw new Error(`it is larger than ${atMost} bytes`);
}

const toBytes = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;

/** Whether an open file is still what its name leads to. */
export function isNamed(file: Deno.FsFile, path: string): boolean {
  try {
    return Deno.statSync(path).ino === file.statSync().ino;
  } catch {
    return false;
  }
}

/** The STATE_IO error that names what was done to which file. */
export function ioError(what: string, path: string, cause: unknown): AgentError {
  if (cause instanceof AgentError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new AgentError("STATE_IO", `Could not ${what} ${path}: ${message.replace(/\.$/, "")}.`, {
    hint: cause instanceof Deno.errors.NotFound
      ? "Make the folders with haproxy-mcp init, or correct HAPROXY_ROOT."
      : "Nothing was changed. Look at the disk's free space and the file's owner and mode.",
    cause,
  });
}
