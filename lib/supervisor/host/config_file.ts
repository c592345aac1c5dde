/** Whether haproxy.cfg can be read, and when it was written last. Its content stays where it is. */
import type { HostStatus } from "../../../tools/host_acts.ts";

export async function lookAtFile(path: string): Promise<HostStatus["config_file"]> {
  try {
    const { mtime, isFile } = await Deno.stat(path);
    // Opening tells about rights; a pipe would block.
    if (isFile) (await Deno.open(path)).close();
    return { path, ...(mtime && { modified: mtime.toISOString() }) };
  } catch (cause) {
    return { path, problem: why(cause) };
  }
}

function why(cause: unknown): string {
  if (cause instanceof Deno.errors.NotFound) return "there is no such file";
  if (cause instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  return cause instanceof Error ? cause.message : String(cause);
}
