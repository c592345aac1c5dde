/**
 * What the workers from before a reload still carry. They listen no more, so the master CLI alone reaches them (Management
 * Guide 9.4, `@!<pid>`).
 */
import type { OldWorkersServer } from "../../../tools/host_acts.ts";
import type { HostSettings } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { askMaster, masterAddress } from "./master_cli.ts";

const ASK_MS = 2_000;
/** A master takes no connection while it reloads. */
const PATIENCE_MS = 1_500;

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
  const options = { signal, deadlineMs: ASK_MS, patienceMs: PATIENCE_MS, repeatable: true };
  const ask = (command: string) => askMaster(master, command, options);
  const processes = await ask("show proc");
  const found: OldWorkersServer[] = [];
  for (const pid of parseWorkers(processes).filter((pid) => pid !== serving)) {
    // One that has ended since then is answered without a table: it carries nothing.
    found.push(...parseServersConn(await ask(`@!${pid} show servers conn ${pool}`)));
  }
  return found;
}

/** `show proc`: the pids of all workers, old ones too. */
export function parseWorkers(text: string): number[] {
  return Array.from(text.matchAll(/^(\d{1,10}) +worker /gm), ([, pid]) => Number(pid));
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
