/** Healing: when another HAProxy process answers it gets what disk says, and what was left half-way is finished. */
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import { showInfo } from "../runtime/commands.ts";
import type { RuntimeClient } from "../runtime/connection.ts";
import { parseInfo } from "../runtime/parse.ts";
import { texts } from "../runtime/replies.ts";
import type { Convergence } from "./converge.ts";

const LOOK_EVERY_MS = 1_000;
const RETRY_EVERY_MS = 500;
/** A HAProxy that stays down is logged at once, then after this long, then after twice as long each time. */
const FIRST_REMINDER_MS = 10_000;

export interface Healing {
  close(): void;
}

export interface HealingParts {
  readonly runtime: RuntimeClient;
  reconcile(): Promise<Convergence>;
  /** Finishes what a process left half-way, if there is any. */
  finish(): Promise<void>;
}

/** Looks for the first time before it returns: where HAProxy answers, it is in line then. */
export async function startHealing({ runtime, reconcile, finish }: HealingParts): Promise<Healing> {
  let pid: string | undefined;
  let closed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let downSince: number | undefined;
  let remindAfter = FIRST_REMINDER_MS;

  async function look(): Promise<void> {
    const info = showInfo();
    const answers = await runtime.converse((conversation) => conversation.exchange([info]));
    const { Pid: current, Version: version } = parseInfo(texts([info], answers)[0]);
    if (downSince !== undefined) log.info(`HAProxy answers again, process ${current}`);
    downSince = undefined;
    remindAfter = FIRST_REMINDER_MS;
    if (current === pid) return await finish();
    const { servers, domains, problems } = await reconcile();
    log.info(
      `HAProxy ${version}, process ${current}: ${servers} servers and ${domains} domains brought in line with disk`,
    );
    for (const problem of problems) log.error(`${problem.message} ${problem.hint ?? ""}`);
    pid = current;
  }

  function failed(cause: unknown): void {
    pid = undefined;
    const { message } = AgentError.from(cause);
    const now = performance.now();
    if (downSince === undefined) log.warning(message);
    downSince ??= now;
    if (now - downSince < remindAfter) return;
    log.warning(`For ${Math.round((now - downSince) / 1000)} s now: ${message}`);
    remindAfter *= 2;
  }

  async function round(): Promise<void> {
    const wait = await look().then(() => LOOK_EVERY_MS, (cause) => (failed(cause), RETRY_EVERY_MS));
    if (!closed) timer = setTimeout(round, wait);
  }

  await round();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
