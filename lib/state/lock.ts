/**
 * The file lock: whoever holds it may write, in every process and every room. It is also the fence against a terminated
 * worker, which may go on writing for seconds: its successor takes the lock first.
 */
import { writeAllSync } from "../bytes.ts";
import { AgentError } from "../errors.ts";
import { ioError, isNamed, type RootFiles } from "../sandbox/files.ts";
import { guard } from "../sandbox/guard.ts";

/** Whose lock it is: the process, and which of its tools rooms, counted from 1. */
export interface Holder {
  readonly pid: number;
  readonly room: number;
}

export interface Lock {
  /**
   * Runs `act` under the lock. One waits at a time, the others queue here: each waiting flock(2) takes a thread of Deno's
   * pool, and a few dozen would stop all file I/O. Throws TIMEOUT after `waitMs` in front of the queue.
   */
  hold<T>(act: () => Promise<T>): Promise<T>;
  close(): void;
}

/** The holder's name in the file, padded so that a longer one is overwritten whole. */
const NAME_LENGTH = 64;

export function fileLock(files: RootFiles, path: string, me: Holder, waitMs: number): Lock {
  let turn: Promise<unknown> = Promise.resolve();
  let file: Deno.FsFile | undefined;
  // lock() can't be taken back, so a wait that timed out goes on, and the next caller continues it.
  let pending: Promise<void> | undefined;
  let wanted = false;

  /** A lock that comes when nobody waits any more is given back at once: held idle, it would stop everyone else. */
  async function wait(opened: Deno.FsFile): Promise<void> {
    try {
      await opened.lock(true);
      if (wanted) return;
      opened.unlockSync();
      if (file !== opened) opened.close();
    } finally {
      pending = undefined;
    }
  }

  async function acquire(): Promise<Deno.FsFile> {
    for (;;) {
      file ??= await files.openLock(path);
      wanted = true;
      pending ??= wait(file);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<"late">((resolve) =>
        timer = setTimeout(() => {
          wanted = false;
          resolve("late");
        }, waitMs)
      );
      const outcome = await Promise.race([pending, late]).finally(() => clearTimeout(timer));
      if (outcome === "late") throw await timeout(files, path, me, waitMs);
      // Another file under this name would be another lock.
      if (isNamed(file, path)) return file;
      file.close();
      file = undefined;
    }
  }

  function writeName(held: Deno.FsFile): void {
    try {
      held.seekSync(0, Deno.SeekMode.Start);
      writeAllSync(
        held,
        new TextEncoder().encode(`${JSON.stringify(me).padEnd(NAME_LENGTH)}\n`),
      );
    } catch (cause) {
      throw ioError("write", path, cause);
    }
  }

  async function locked<T>(act: () => Promise<T>): Promise<T> {
    const held = await acquire();
    try {
      writeName(held);
      return await act();
    } finally {
      held.unlockSync();
    }
  }

  return {
    hold<T>(act: () => Promise<T>): Promise<T> {
      const mine = turn.then(() => locked(act));
      turn = mine.catch(() => {});
      return mine;
    },
    close() {
      wanted = false;
      if (!pending) file?.close();
      file = undefined;
    },
  };
}

/**
 * Runs `act` under the lock and leaves no trace of it: the file is neither made nor written. Where there is none, nobody
 * holds it. For a process that ends soon: a wait that was given up goes on in a thread of its own. Throws TIMEOUT.
 */
export async function holdQuietly<T>(
  files: RootFiles,
  path: string,
  waitMs: number,
  act: () => Promise<T>,
): Promise<T> {
  let file: Deno.FsFile;
  try {
    guard(files.root, path);
    file = await Deno.open(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return await act();
    throw ioError("open", path, cause);
  }
  const locked = file.lock(true).then(() => "locked" as const);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), waitMs));
  if (await Promise.race([locked, late]).finally(() => clearTimeout(timer)) === "late") {
    // Closed, the file is unlocked.
    void locked.then(() => file.close());
    throw await timeout(files, path, NOBODY, waitMs);
  }
  try {
    return await act();
  } finally {
    file.close();
  }
}

/** Who takes the lock and writes no name into it. */
const NOBODY: Holder = { pid: 0, room: 0 };

async function timeout(
  files: RootFiles,
  path: string,
  me: Holder,
  waitMs: number,
): Promise<AgentError> {
  const holder = parseHolder(await files.read(path).catch(() => undefined));
  // A terminated worker of this process that spins on: only the end of the process ends it.
  const predecessor = holder?.pid === me.pid && holder.room !== me.room;
  return new AgentError(
    "TIMEOUT",
    `${path} was held for ${waitMs / 1000} s${holder ? ` by process ${holder.pid}` : ""}.`,
    {
      hint: "Another haproxy-mcp works on the same files. Nothing was changed: try again.",
      details: { holder, predecessor },
    },
  );
}

function parseHolder(text: string | undefined): Holder | undefined {
  try {
    const { pid, room } = JSON.parse(text ?? "");
    return Number.isInteger(pid) && Number.isInteger(room) ? { pid, room } : undefined;
  } catch {
    return undefined;
  }
}
