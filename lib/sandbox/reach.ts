/**
 * Root in a root whose agent is another user. What that user can't put elsewhere or take away itself (root's files, in a folder
 * that is not its own: haproxy.cfg, the unit's settings), root does not do in its place: the agent's journals say what is to be
 * moved where, and whoever has taken it over can write them.
 */
import { dirname } from "node:path";
import type { Owner } from "../owners.ts";
import { lstat } from "./guard.ts";

/** Whether the path, or its place where there is nothing, is out of the agent's own reach. Its folder must exist. */
export function isOutOfReach(path: string, agent: Owner): boolean {
  const folder = Deno.lstatSync(dirname(path));
  if (folder.uid === agent.uid) return false;
  const mode = folder.mode ?? 0;
  const mayMake = folder.gid === agent.gid && (mode & 0o020) !== 0;
  const there = lstat(path);
  if (there === undefined || !mayMake) return !mayMake;
  const isSticky = (mode & 0o1000) !== 0;
  return isSticky && there.uid !== agent.uid;
}

export function isRoots(path: string): boolean {
  return lstat(path)?.uid === 0;
}
