/** Healing: a HAProxy process not seen before gets what disk says, and what was left half-way is finished. */
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import { unlessAborted } from "../pause.ts";
import type { Conversation, RuntimeClient } from "../runtime/connection.ts";
import { type HaproxyProcess, processOf, readInfo } from "../runtime/process.ts";
import type { Convergence } from "./converge.ts";
import { describeSeveral, readProcesses, severalError } from "./processes.ts";
import { countKinds, countsInWords } from "./subject.ts";

const LOOK_EVERY_MS = 1_000;
const RETRY_EVERY_MS = 500;
const CLOSE_MS = 2_000;
/** A fault that stays is logged at once, then after this long, then after twice as long each time. */
const FIRST_REMINDER_MS = 10_000;

export interface Healing {
  /** Throws CONFLICT while two HAProxys share the port. */
  assertAlone(): void;
  /** Resolves when the look that is under way has ended: it may be writing files. One that waits for HAProxy is not waited for long. */
  close(): Promise<void>;
}

export interface HealingParts {
  readonly runtime: RuntimeClient;
  /** Answers with the process that it has brought in line. */
  reconcile(): Promise<Convergence & { readonly process: HaproxyProcess }>;
  /** Finishes what a process left half-way, if there is any. */
  finish(): Promise<void>;
  /** May ask for more, on the connection of a look that has just met this process. */
  readonly ask?: (talk: Conversation, process: HaproxyProcess) => Promise<void>;
}

/** Looks for the first time before it returns: where HAProxy answers, it is in line then. */
export async function startHealing(parts: HealingParts): Promise<Healing> {
  const { runtime, reconcile, finish, ask } = parts;
  /** Keys of the processes that hold what disk says. */
  const inLine = new Set<string>();
  let last: string | undefined;
  let several: readonly HaproxyProcess[] = [];
  let closed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const down = reminder();
  const sharing = reminder();
  const failing = reminder();

  async function look(): Promise<void> {
    const { key, pid, stopping } = await runtime.converse(async (talk) => {
      const process = processOf(await readInfo(talk));
      await ask?.(talk, process);
      return process;
    });
    if (down.over()) log.info(`HAProxy answers again, process ${pid}`);
    // A reload's old worker: the next look meets the new one.
    if (stopping) return;
    // The first one too: it may be somebody else's that shares the port.
    const another = last !== key;
    last = key;
    if ((another || sharing.on) && await isShared()) return;
    await (inLine.has(key) ? finish() : heal());
    if (failing.over()) log.info("What failed works again.");
  }

  async function heal(): Promise<void> {
    const { process, changed, problems } = await reconcile();
    const restored = changed.length === 0
      ? "it holds what disk says"
      : `${countsInWords(countKinds(changed))} brought in line with disk`;
    log.info(`HAProxy ${process.version}, process ${process.pid}: ${restored}`);
    for (const problem of problems) log.error(`${problem.message} ${problem.hint ?? ""}`);
    inLine.add(process.key);
  }

  /**
   * Another process answers than before: it has taken the place of that one, or shares it. Of two, one may be somebody
   * else's, so nothing is sent to either.
   */
  async function isShared(): Promise<boolean> {
    const processes = await readProcesses(runtime);
    several = processes.length > 1 ? processes : [];
    if (processes.length > 1) {
      const sentence = describeSeveral(processes, runtime.address);
      sharing.say((since) => log.error(`${since}${sentence}`));
      return true;
    }
    if (sharing.over()) {
      log.info(`One HAProxy is left, process ${processes[0]?.pid}: it is compared with disk`);
    }
    // Changes may have reached the other one. And a new process may bear an old one's number.
    inLine.clear();
    return false;
  }

  function failed(cause: unknown): void {
    const { code, message } = AgentError.from(cause);
    if (code === "HAPROXY_UNREACHABLE") {
      inLine.clear();
      several = [];
      down.say((since) => log.warning(`${since}${message}`));
    } else {
      failing.say((since) => log.error(`${since}${message}`));
    }
  }

  async function round(): Promise<void> {
    const wait = await look().then(() => LOOK_EVERY_MS, (cause) => (failed(cause), RETRY_EVERY_MS));
    if (!closed) timer = setTimeout(() => current = round(), wait);
  }

  let current = round();
  await current;
  return {
    assertAlone() {
      if (several.length > 0) throw severalError(several, runtime.address);
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await unlessAborted(current, AbortSignal.timeout(CLOSE_MS)).catch(() => {});
    },
  };
}

/** Says something that stays so at once, and then less and less often. */
function reminder() {
  let since: number | undefined;
  let next = 0;
  let gap = FIRST_REMINDER_MS;
  return {
    get on(): boolean {
      return since !== undefined;
    },
    /** @param write gets `For 20 s now: `, or nothing the first time */
    say(write: (since: string) => void): void {
      const now = performance.now();
      if (since === undefined) {
        since = now;
        next = now + gap;
        return write("");
      }
      if (now < next) return;
      gap *= 2;
      next = since + gap;
      write(`For ${Math.round((now - since) / 1000)} s now: `);
    },
    /** It is no longer so; true where it was. */
    over(): boolean {
      const was = since !== undefined;
      since = undefined;
      gap = FIRST_REMINDER_MS;
      return was;
    },
  };
}
