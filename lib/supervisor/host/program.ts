/** Runs other programs: by absolute path, without a shell, with an environment and an output that are bounded. */
import { isAbsolute, join } from "node:path";
import { AgentError } from "../../errors.ts";

/** Behind the PATH that a program of ours gets; never the one that this process was given. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Of each of stdout and stderr; the rest is read and dropped, so that the program does not block. */
const MAX_OUTPUT_BYTES = 256 * 1024;
const STOP_MS = 300;
/** What a program started may hold its output open; so long it is waited for. */
const DRAIN_MS = 500;

export interface Ended {
  /** Exit code; 128 and the signal's number where a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Aborts when the call that this is done for ends. */
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  /** Beside PATH, all that the program sees. @default {{}} */
  readonly env?: Readonly<Record<string, string>>;
  /** So long a program that was told to stop (SIGTERM) has before it is killed. @default {300} */
  readonly stopMs?: number;
}

/**
 * Where `name` lies: the first file of that name in `path` that may be executed. Relative and empty
 * entries of `path` are passed over, as they would depend on the folder that haproxy-mcp was started in.
 *
 * @param path as in $PATH
 */
export function findProgram(name: string, path: string): string | undefined {
  return path.split(":").filter(isAbsolute).map((folder) => join(folder, name)).find(isProgram);
}

/** A file that somebody may execute; this user perhaps not. */
export function isProgram(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}

/**
 * Runs `program` to its end, without stdin, in the folder `/`.
 *
 * Throws UNSUPPORTED where it can't be started, TIMEOUT after `deadlineMs`, and the signal's reason; it has
 * ended then.
 */
export async function run(
  program: string,
  args: readonly string[],
  { signal, deadlineMs, env = {}, stopMs = STOP_MS }: RunOptions,
): Promise<Ended> {
  signal.throwIfAborted();
  const child = spawn(program, args, env);
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  const late = new AgentError("TIMEOUT", `${program} did not end within ${deadlineMs / 1000} s.`);
  const timer = setTimeout(() => reject(late), deadlineMs);
  signal.addEventListener("abort", onAbort);
  try {
    const { code } = await Promise.race([child.status, stopped]);
    await atMost(DRAIN_MS, Promise.all([stdout.ended, stderr.ended]));
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } catch (cause) {
    await end(child, stopMs);
    throw cause;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    await Promise.all([stdout.cancel(), stderr.cancel()]);
  }
}

function spawn(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  try {
    return new Deno.Command(program, {
      args: [...args],
      clearEnv: true,
      env: { ...env, PATH: SYSTEM_PATH },
      cwd: "/",
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (cause) {
    throw new AgentError("UNSUPPORTED", `${program} can't be started: ${why(program, cause)}.`, {
      cause,
    });
  }
}

function why(program: string, cause: unknown): string {
  if (cause instanceof Deno.errors.NotFound) {
    return isProgram(program)
      ? "the interpreter that it names is missing"
      : "there is no such program";
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    return isProgram(program) ? "this user may not execute it" : "it is no executable file";
  }
  return cause instanceof Error ? cause.message : String(cause);
}

async function end(child: Deno.ChildProcess, stopMs: number): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    try {
      child.kill(signal);
    } catch {
      return; // It has ended.
    }
    if (await atMost(stopMs, child.status)) return;
  }
}

/** False where `work` has not ended in time. */
async function atMost(ms: number, work: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), ms);
  try {
    return await Promise.race([work.then(() => true), promise]);
  } finally {
    clearTimeout(timer);
  }
}

function collect(stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let room = MAX_OUTPUT_BYTES;
  let text = "";
  const ended = (async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += decoder.decode(value.subarray(0, room), { stream: true });
      room -= Math.min(room, value.length);
    }
  })().catch(() => {
    // The pipe broke: what came is what there is.
  });
  return {
    ended,
    text: () => text,
    async cancel() {
      await reader.cancel().catch(() => {});
      await ended;
    },
  };
}
