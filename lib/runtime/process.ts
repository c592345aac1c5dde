/** Which HAProxy process answers: a worker, since each has a Runtime API of its own. */
import { showInfo } from "./commands.ts";
import type { Conversation } from "./connection.ts";
import { parseInfo } from "./parse.ts";
import { texts } from "./replies.ts";

export interface HaproxyProcess {
  /** As HAProxy sees itself: in a container each start may have the same. */
  readonly pid: number;
  readonly version: string;
  /** Seconds since 1970. */
  readonly startedAt: number;
  /** Seconds. */
  readonly uptime: number;
  /** After a reload: it only finishes what it has. */
  readonly stopping: boolean;
  /** Tells one process from another, restarts in a container included. */
  readonly key: string;
}

/** `show info` as HAProxy says it. */
export async function readInfo(conversation: Conversation): Promise<Record<string, string>> {
  const commands = [showInfo()];
  return parseInfo(texts(commands, await conversation.exchange(commands))[0]);
}

/** True where HAProxy has not read what was written at this time (ISO 8601). */
export function isUnread(modified: string, { startedAt }: Pick<HaproxyProcess, "startedAt">) {
  // Whole seconds: a file written in the second of the start may be the one that was read.
  return Date.parse(modified) / 1000 >= startedAt + 1;
}

export function processOf(info: Readonly<Record<string, string>>): HaproxyProcess {
  const { Pid, Version = "", Start_time_sec = "0", Uptime_sec = "0", Stopping = "0" } = info;
  return {
    pid: Number(Pid),
    version: Version,
    startedAt: Number(Start_time_sec),
    uptime: Number(Uptime_sec),
    stopping: Stopping !== "0",
    key: `${Pid}@${Start_time_sec}`,
  };
}
