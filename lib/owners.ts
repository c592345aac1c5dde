/**
 * Mode and owner of files, by a descriptor: a name could be led elsewhere in the meantime. Deno has neither fchmod nor
 * fchown, nor the descriptor of its own files.
 */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync } from "node:fs";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Settled {
  /** Permission bits. */
  readonly mode?: number;
  /** The owner of the file that it takes the place of, which keeps it. */
  readonly old?: Owner;
  /** Whose it is where it is new, and root's. */
  readonly owner?: Owner;
}

export const ownerOf = (info: Deno.FileInfo | undefined): Owner | undefined =>
  info && { uid: info.uid ?? 0, gid: info.gid ?? 0 };

/** Throws where `path` leads to another file than the open one by now. */
export function settle(path: string, file: Deno.FsFile, { mode, old, owner }: Settled): void {
  withDescriptor(path, (fd) => {
    const mine = fstatSync(fd);
    if (mine.ino !== file.statSync().ino) throw new Error("somebody replaced it");
    if (mode !== undefined) fchmodSync(fd, mode);
    if (old) keepOwner(fd, mine, old);
    else if (owner) giveAway(fd, mine, owner);
  });
}

/** What is new and root's becomes the owner's: a file or a folder. */
export function give(path: string, owner: Owner | undefined): void {
  if (owner) withDescriptor(path, (fd) => giveAway(fd, fstatSync(fd), owner));
}

/** Of a file or folder, and not of what a symlink names that took its place. */
function withDescriptor(path: string, act: (fd: number) => void): void {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    act(fd);
  } finally {
    closeSync(fd);
  }
}

/** The group of a setgid folder stays: HAProxy may read by it. */
function giveAway(fd: number, mine: Owner, owner: Owner): void {
  if (owner.uid === 0 || mine.uid !== 0) return;
  fchownSync(fd, owner.uid, mine.gid === 0 ? owner.gid : mine.gid);
}

/** A file keeps its owner where we may give it away, else its group where it is ours, too: HAProxy may read it by that. */
function keepOwner(fd: number, mine: Owner, old: Owner): void {
  if (mine.uid === old.uid && mine.gid === old.gid) return;
  for (const { uid, gid } of [old, { uid: mine.uid, gid: old.gid }]) {
    try {
      return fchownSync(fd, uid, gid);
    } catch {
      // The next, or as it is.
    }
  }
}
