/** haproxy.cfg: whether it can be read, when it was written last, and what it says, with or without its secrets. */
import { AgentError } from "../../errors.ts";
import { hideSecrets } from "./config_secrets.ts";
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

const MAX_BYTES = 4 * 1024 * 1024;

/** Throws NOT_FOUND with the reason. */
export async function readWithoutSecrets(path: string): Promise<string> {
  return hideSecrets(await readWhole(path));
}

/** As it is: for main's own eyes. Throws NOT_FOUND with the reason. */
export async function readWhole(path: string): Promise<string> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) throw new Error("it is not a file");
    if (size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    return await Deno.readTextFile(path);
  } catch (cause) {
    throw new AgentError("NOT_FOUND", `${path} can't be read: ${why(cause)}.`, {
      hint: "Let HAPROXY_CONFIG_FILE name HAProxy's own.",
    });
  }
}

function why(cause: unknown): string {
  if (cause instanceof Deno.errors.NotFound) return "there is no such file";
  if (cause instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  return cause instanceof Error ? cause.message : String(cause);
}
