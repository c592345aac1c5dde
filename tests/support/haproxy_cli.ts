/** The two command lines of a running HAProxy as tests need them: one command, one connection, the reply as it came. */
import { setTimeout as delay } from "node:timers/promises";

/** @throws when nobody listens, or the connection breaks */
export async function ask(hostname: string, port: number, command: string): Promise<string> {
  using connection = await Deno.connect({ hostname, port });
  await connection.write(new TextEncoder().encode(`${command}\n`));
  // The master CLI stays open after its reply until it is told that nothing more comes.
  await connection.closeWrite();
  return await new Response(connection.readable).text();
}

/** The process that answers on the Runtime API; undefined when none does. */
export async function runtimePid(
  runtime: (command: string) => Promise<string>,
): Promise<number | undefined> {
  const info = await runtime("show info").catch(() => "");
  const pid = /^Pid: (\d+)$/m.exec(info)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

export interface Workers {
  /** Pids. */
  readonly current: readonly number[];
  /** Pids of those that only finish what they have after a reload. */
  readonly old: readonly number[];
}

/** The master CLI's `show proc`; no workers for an empty text. */
export function parseProcesses(text: string): Workers {
  const [, current = "", old = ""] = text.split(/^# (?:old )?workers$/m);
  const pids = (section: string) =>
    Array.from(section.matchAll(/^(\d+)\s+worker\b/gm), ([, pid]) => Number(pid));
  return { current: pids(current), old: pids(old) };
}

/** Asks every 10 ms; false when the answer was not yes in time. */
export async function until(condition: () => Promise<boolean>, ms: number): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; await delay(10)) {
    if (await condition()) return true;
  }
  return false;
}

/** True once only another process than `before` answers; false when that does not come about in time. */
export function untilReplaced(
  runtime: (command: string) => Promise<string>,
  before: number | undefined,
  ms: number,
): Promise<boolean> {
  // The old worker accepts until the new one has told it to stop: one answer proves little.
  let row = 0;
  return until(async () => {
    const pid = await runtimePid(runtime);
    row = pid !== undefined && pid !== before ? row + 1 : 0;
    return row >= 5;
  }, ms);
}
