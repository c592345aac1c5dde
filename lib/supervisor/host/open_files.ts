/** How many HTTP connections this process can afford: each is a file descriptor, and its files and HAProxy need some. */
import { run } from "./program.ts";

/** For the rooms' files, conversations with HAProxy, programs and their pipes. */
const RESERVED = 256;
const LEAST = 64;

/** What is assumed where it can't be found out: the usual soft limit. */
const USUAL = 1024;

/** @param soft the soft limit of open files: it counts, and Deno does not raise it */
export function connectionsWithin(soft: number, most: number): number {
  return Math.max(LEAST, Math.min(most, soft - RESERVED));
}

/** This process's own, as its children inherit it: Deno lets nobody read it in /proc. */
export async function softLimit(): Promise<number> {
  try {
    const { signal } = new AbortController();
    const { stdout } = await run("/bin/sh", ["-c", "ulimit -Sn"], { signal, deadlineMs: 2_000 });
    return stdout.trim() === "unlimited" ? Infinity : Number(stdout.trim()) || USUAL;
  } catch {
    return USUAL;
  }
}
