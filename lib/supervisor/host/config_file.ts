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

/**
 * What ends HAProxy, or leaves it without a listener, at a reload, and is seen without its parser: a missing file (3.2,
 * 3.4), an empty one, a last line without its end (3.4). Undefined for all else, folders included.
 */
export async function fatalFlaw(path: string): Promise<string | undefined> {
  try {
    if (!(await Deno.stat(path)).isFile) return undefined;
    const text = await Deno.readTextFile(path);
    if (!/^[ \t]*[^# \t\r\n]/m.test(text)) return "it is empty";
    return text.endsWith("\n") ? undefined : "its last line has no line end";
  } catch (cause) {
    return why(cause);
  }
}

function why(cause: unknown): string {
  if (cause instanceof Deno.errors.NotFound) return "there is no such file";
  if (cause instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  return cause instanceof Error ? cause.message : String(cause);
}
