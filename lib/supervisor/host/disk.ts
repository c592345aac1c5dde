/** How much room a file system has, by df: Deno tells it only to whom may ask the system everything. */
import { AgentError } from "../../errors.ts";
import { findProgram, run, SYSTEM_PATH } from "./program.ts";

const LOOK_MS = 5_000;

export interface DiskSpace {
  /** That this user may still fill. */
  readonly freeBytes: number;
  /** Files that can still be made; undefined where the file system has no such limit. */
  readonly freeFiles?: number;
}

/** Of the file system that holds `path`. Throws UNSUPPORTED, TIMEOUT. */
export async function diskSpace(path: string, signal: AbortSignal): Promise<DiskSpace> {
  const program = findProgram("df", SYSTEM_PATH);
  if (program === undefined) throw new AgentError("UNSUPPORTED", "There is no df.");
  const ask = async (unit: string) => {
    const { stdout } = await run(program, [unit, "--", path], { signal, deadlineMs: LOOK_MS });
    return readDf(stdout);
  };
  const [kilobytes, inodes] = await Promise.all([ask("-Pk"), ask("-Pi")]);
  if (kilobytes === undefined) {
    throw new AgentError("UNSUPPORTED", `df does not say how full the disk of ${path} is.`);
  }
  // Btrfs and the like count none.
  const limited = inodes !== undefined && inodes.total > 0;
  return { freeBytes: kilobytes.free * 1024, ...(limited && { freeFiles: inodes.free }) };
}

/** `df -P` (POSIX): the last line has the file system, its size, used, free, how full in per cent, and the mount. */
export function readDf(
  text: string,
): { readonly total: number; readonly free: number } | undefined {
  const line = text.trimEnd().split("\n").at(-1) ?? "";
  const [, total, free] = /\s(\d+)\s+-?\d+\s+(-?\d+)\s+(?:\d+%|-)\s+\//.exec(line) ?? [];
  return total === undefined ? undefined : { total: Number(total), free: Number(free) };
}
