/**
 * Files that `init` reads and writes: each by temporary file, fsync and rename, so that a crash leaves no half of one.
 *
 * Root runs it in folders which the agent's user may write, so below the root no symlink is followed, and what is no file is
 * not opened: who has taken over the agent could have root's files read, or replaced, else.
 */
import { basename, dirname, join } from "node:path";
import { writeAll } from "../bytes.ts";
import { AgentError } from "../errors.ts";
import { give, type Owner, ownerOf, settle, type Settled } from "../owners.ts";
import { guard, guardFolder, isStillAt, lstat } from "../sandbox/guard.ts";
import { paths } from "./options.ts";

export interface WrittenFile {
  readonly path: string;
  readonly outcome: "written" | "kept" | "replaced";
}

export interface Found {
  readonly text: string;
  /** Permission bits. */
  readonly mode: number;
  readonly owner: Owner;
}

type Content = () => string | Promise<string>;

/** Below the root; files elsewhere, which only a person can have named, are read and replaced as they are found. */
export interface InitFiles {
  /** Undefined where there is no such file. STATE_IO for what is no plain file, or reached by a symlink. */
  look(path: string): Promise<Found | undefined>;
  text(path: string): Promise<string | undefined>;
  /** Leaves what exists; `content` is asked for only where nothing does. */
  create(path: string, mode: number, content: Content): Promise<WrittenFile>;
  /** Takes the place of what exists. The new file has the old one's owner where this process may give it away. */
  replace(path: string, mode: number, content: string): Promise<WrittenFile>;
  /** As `replace`, but a file that holds just this is left as it is. */
  renew(path: string, mode: number, content: string): Promise<WrittenFile>;
  /** A copy with its mode and owner, beside the file and under a name that nothing has: PATH.original, PATH.original.2, … */
  copy(path: string, found: Found): Promise<string>;
  restrict(path: string, mode: number): Promise<void>;
  /** Leaves one that exists. */
  folder(path: string, mode: number): Promise<void>;
}

/**
 * What root makes belongs to the agent's user, which is the one that data/ belongs to: it could not replace it else. Root
 * keeps what HAProxy and systemd take from it: haproxy.cfg, the unit's settings, units, run/, and conf/ itself.
 */
export function openFiles(root: string): InitFiles {
  const { config, environment, units, masterSocket } = paths(root);
  const agent = ownerOf(lstat(join(root, "data")));
  const isInside = (path: string) => path.startsWith(`${root}/`);
  const isRoots = (path: string) =>
    [config, environment, dirname(config)].includes(path) ||
    [units, dirname(masterSocket)].some((folder) => `${path}/`.startsWith(`${folder}/`));
  const ownerFor = (path: string) => isInside(path) && !isRoots(path) ? agent : undefined;
  const real = () => Deno.realPathSync(root);

  /** Where `path` is to be opened. Throws NotFound where its folder is missing. */
  function placeOf(path: string): string {
    if (!isInside(path)) return lstat(path) ? Deno.realPathSync(path) : path;
    guard(real(), path);
    return path;
  }

  /** Of a plain file; the caller closes it. */
  async function open(path: string): Promise<{ readonly file: Deno.FsFile; readonly at: string }> {
    const at = placeOf(path);
    // A pipe would block the opening.
    if (!(await Deno.lstat(at)).isFile) throw notUsed(path, "it is not a file", root);
    const file = await Deno.open(at);
    if (isInside(path) && !isStillAt(real(), path, file)) {
      file.close();
      throw notUsed(path, "somebody replaces it", root);
    }
    return { file, at };
  }

  async function writeBeside(path: string, content: string, settled: Settled): Promise<string> {
    const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}`);
    try {
      using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
      await writeAll(file, new TextEncoder().encode(content));
      if (isInside(path) && !isStillAt(real(), temporary, file)) {
        throw notUsed(path, "somebody replaces it", root);
      }
      // The umask must not decide whether HAProxy can read the file.
      settle(temporary, file, settled);
      await file.sync();
      return temporary;
    } catch (cause) {
      await Deno.remove(temporary).catch(() => {});
      throw cause;
    }
  }

  async function make(path: string, content: Content, settled: Settled): Promise<WrittenFile> {
    await files.folder(dirname(path), 0o755);
    const at = placeOf(path);
    if (lstat(at)) return { path, outcome: "kept" };
    const temporary = await writeBeside(at, await content(), settled);
    try {
      // A link and not a rename: it fails where somebody else made the file in the meantime.
      await Deno.link(temporary, at);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      return { path, outcome: "kept" };
    } finally {
      await Deno.remove(temporary);
    }
    await sync(dirname(at));
    return { path, outcome: "written" };
  }

  const files: InitFiles = {
    async look(path) {
      try {
        const { file } = await open(path);
        const info = file.statSync();
        const bytes = await new Response(file.readable).arrayBuffer();
        return {
          text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes),
          mode: (info.mode ?? 0) & 0o777,
          owner: ownerOf(info)!,
        };
      } catch (cause) {
        if (cause instanceof Deno.errors.NotFound) return undefined;
        throw cause;
      }
    },
    text: async (path) => (await files.look(path))?.text,
    create: (path, mode, content) => make(path, content, { mode, owner: ownerFor(path) }),
    async replace(path, mode, content) {
      await files.folder(dirname(path), 0o755);
      const at = placeOf(path);
      const old = lstat(at);
      const temporary = await writeBeside(at, content, {
        mode,
        old: ownerOf(old),
        owner: ownerFor(path),
      });
      await Deno.rename(temporary, at);
      await sync(dirname(at));
      return { path, outcome: old ? "replaced" : "written" };
    },
    async renew(path, mode, content) {
      if (await files.text(path) === content) return { path, outcome: "kept" };
      return await files.replace(path, mode, content);
    },
    async copy(path, { text, mode, owner }) {
      for (let number = 1;; number++) {
        const to = `${path}.original${number === 1 ? "" : `.${number}`}`;
        const { outcome } = await make(to, () => text, { mode, old: owner });
        if (outcome === "written" || await files.text(to) === text) return to;
      }
    },
    async restrict(path, mode) {
      const { file, at } = await open(path);
      using _ = file;
      settle(at, file, { mode });
    },
    async folder(path, mode) {
      if (!lstat(path)) {
        await Deno.mkdir(path, { recursive: true, mode });
        give(path, ownerFor(path));
      }
      if (isInside(path)) guardFolder(real(), path);
    },
  };
  return files;
}

/** The text, or undefined where there is no such file. Symlinks are followed: for what is not below the root. */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

export const exists = (path: string): boolean => lstat(path) !== undefined;

function notUsed(path: string, why: string, root: string): AgentError {
  return new AgentError("STATE_IO", `${path} is not used: ${why}.`, {
    hint: `Put a plain file under ${root} in its place.`,
  });
}

/** For a folder: the names in it. */
async function sync(path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.sync();
}
