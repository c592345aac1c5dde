/**
 * The workers from before a reload: what they still carry, and whether they were told to end at all. The master CLI alone
 * reaches each (Management Guide 9.4, `@!<pid>`): one that leaves listens no more, and who takes a connection of the port
 * that two share is chance.
 */
import type { OldWorkersServer } from "../../../tools/host_acts.ts";
import type { HostSettings } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { pause } from "../../pause.ts";
import { askMaster, masterAddress } from "./master_cli.ts";

const ASK_MS = 2_000;
/** A master takes no connection while it reloads. */
const PATIENCE_MS = 1_500;
/** So long an old worker may take until it calls itself stopping, once the new one serves. */
const TOLD_MS = 5_000;
const POLL_MS = 50;

export interface OldWorkersQuestion {
  readonly pool: string;
  /** The worker that serves: not an old one, whatever the master calls it after a reload that failed. */
  readonly serving: number;
}

/** See HostActs.requestsOfOldWorkers. */
export async function requestsOfOldWorkers(
  host: Pick<HostSettings, "master" | "masterSocket">,
  { pool, serving }: OldWorkersQuestion,
  signal: AbortSignal,
): Promise<readonly OldWorkersServer[]> {
  if (!/^pool_[1-9]\d{0,5}$/.test(pool) || !Number.isSafeInteger(serving)) {
    throw new AgentError("VALIDATION", "That is no pool, or no process.");
  }
  const master = masterAddress(host);
  if (master === undefined) {
    throw new AgentError("UNSUPPORTED", `There is no master CLI at ${host.masterSocket}.`, {
      hint: "HAPROXY_MASTER says where HAProxy has it (`haproxy -W -S`).",
    });
  }
  const ask = asking(master, signal);
  const processes = await ask("show proc");
  const found: OldWorkersServer[] = [];
  for (const pid of parseWorkers(processes).filter((pid) => pid !== serving)) {
    // One that has ended since then is answered without a table: it carries nothing.
    found.push(...parseServersConn(await ask(`@!${pid} show servers conn ${pool}`)));
  }
  return found;
}

/**
 * The pids of old workers that go on as if nothing had been reloaded, since their master may not signal them: HAProxy
 * counts such a reload as done. For the time after one that succeeded.
 */
export async function workersThatStay(master: string, signal: AbortSignal): Promise<number[]> {
  const ask = asking(master, signal);
  let stay: number[] = [];
  for (
    const end = performance.now() + TOLD_MS;
    performance.now() < end;
    await pause(POLL_MS, signal)
  ) {
    stay = [];
    for (const pid of parseOldWorkers(await ask("show proc"))) {
      // One that has ended since then is answered by the master's own words, one that hangs not at all.
      const info = await ask(`@!${pid} show info`).catch(() => "");
      if (/^Stopping: 0$/m.test(info)) stay.push(pid);
    }
    if (stay.length === 0) break;
  }
  return stay;
}

function asking(master: string, signal: AbortSignal) {
  const options = { signal, deadlineMs: ASK_MS, patienceMs: PATIENCE_MS, repeatable: true };
  return (command: string) => askMaster(master, command, options);
}

/** `show proc`: the pids of all workers, old ones too. */
export function parseWorkers(text: string): number[] {
  return Array.from(text.matchAll(/^(\d{1,10}) +worker /gm), ([, pid]) => Number(pid));
}

/** `show proc`: the pids of those from before the last reload. */
export function parseOldWorkers(text: string): number[] {
  return parseWorkers(text.split(/^# old workers$/m)[1] ?? "");
}

/** `show servers conn BACKEND`: the servers that have requests. Columns by their names, since 3.4 has more. */
export function parseServersConn(text: string): OldWorkersServer[] {
  const [header = "", ...rows] = text.split("\n").filter((line) => line !== "");
  if (!header.startsWith("# bkname/svname ")) return [];
  const columns = header.slice(2).split(" ");
  return rows.flatMap((row) => {
    const cells = row.split(" ");
    const [ip, port, requests] = ["addr", "port", "used_cur"]
      .map((name) => cells[columns.indexOf(name)] ?? "");
    const sound = /^[0-9a-f.:]{2,45}$/.test(ip) && /^\d{1,5}$/.test(port) &&
      /^\d{1,9}$/.test(requests);
    return sound && requests !== "0"
      ? [{ ip, port: Number(port), requests: Number(requests) }]
      : [];
  });
}
