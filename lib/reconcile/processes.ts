/** The HAProxy processes behind one address: one, unless a reload is under way or a second HAProxy shares the port. */
import { AgentError } from "../errors.ts";
import type { ConverseOptions, RuntimeAddress, RuntimeClient } from "../runtime/connection.ts";
import { type HaproxyProcess, processOf, readInfo } from "../runtime/process.ts";
import { pause } from "../pause.ts";

/** Connections are dealt out evenly, so a second process stays unseen once in 2^11 times. */
const SAMPLES = 12;
/** A reload's old worker accepts for some milliseconds more, and does not call itself stopping yet. */
const SETTLE_MS = 400;
/** So often a second one has to show before it counts. */
const LOOKS = 3;
const POLL_MS = 20;

export const readProcess = (
  runtime: RuntimeClient,
  options?: ConverseOptions,
): Promise<HaproxyProcess> =>
  runtime.converse(async (conversation) => processOf(await readInfo(conversation)), options);

/**
 * All that serve: more than one where two HAProxys share the port, which the kernel does not refuse (SO_REUSEPORT) and
 * then deals connections to both. Throws HAPROXY_UNREACHABLE.
 */
export async function readProcesses(runtime: RuntimeClient): Promise<readonly HaproxyProcess[]> {
  let found = await sample(runtime);
  for (let look = 1; found.size > 1 && look < LOOKS; look++) {
    await pause(SETTLE_MS);
    found = await sample(runtime);
  }
  return [...found.values()];
}

async function sample(runtime: RuntimeClient): Promise<Map<string, HaproxyProcess>> {
  const found = new Map<string, HaproxyProcess>();
  for (let i = 0; i < SAMPLES; i++) {
    const each = await readProcess(runtime);
    if (!each.stopping) found.set(each.key, each);
  }
  return found;
}

/** A sentence that names them, for logs and for haproxy_health. */
export function describeSeveral(
  processes: readonly HaproxyProcess[],
  { host, port }: RuntimeAddress,
): string {
  const names = processes.toSorted((a, b) => a.startedAt - b.startedAt)
    .map(({ pid, version, uptime }) => `process ${pid} (${version}, up ${uptime} s)`);
  return `${names.length} HAProxys share ${host}:${port}: ${names.join(" and ")}. ` +
    "Each gets a part of the connections, so changes reach only one of them. Stop the one that should not be there; " +
    "noreuseport in haproxy.cfg's global section keeps a second one from starting.";
}

/** Nobody can tell which of two a change would reach. */
export function severalError(
  processes: readonly HaproxyProcess[],
  address: RuntimeAddress,
): AgentError {
  return new AgentError("CONFLICT", describeSeveral(processes, address), {
    hint: "Nothing was changed.",
  });
}

/**
 * The one that serves; undefined where all that answer are leaving. Throws CONFLICT where two share the port, and
 * HAPROXY_UNREACHABLE where one of the looks has no answer: it may be a second one that hangs.
 */
export async function onlyProcess(runtime: RuntimeClient): Promise<HaproxyProcess | undefined> {
  const processes = await readProcesses(runtime);
  if (processes.length > 1) throw severalError(processes, runtime.address);
  return processes[0];
}

/**
 * Resolves with true once a process answers that is as wanted; with false where none does in time.
 *
 * @param end as performance.now() counts
 */
export async function processThat(
  isWanted: (process: HaproxyProcess) => boolean,
  runtime: RuntimeClient,
  end: number,
): Promise<boolean> {
  for (; performance.now() < end; await pause(POLL_MS)) {
    const now = await readProcess(runtime).catch((cause) => {
      // Between the old worker and the new one nobody may listen for a moment.
      if (AgentError.from(cause).code !== "HAPROXY_UNREACHABLE") throw cause;
    });
    if (now && isWanted(now)) return true;
  }
  return false;
}
