/** A reload: the files in order, the order, then the new process brought in line, with no change in between. */
import { AgentError } from "../errors.ts";
import type { Convergence } from "../reconcile/converge.ts";
import { onlyProcess, processThat, readProcess, readProcesses } from "../reconcile/processes.ts";
import type { RuntimeClient } from "../runtime/connection.ts";
import type { HaproxyProcess } from "../runtime/process.ts";
import type { Finisher } from "./unfinished.ts";
import { waitingWith } from "./waiting.ts";

/** How long a new worker may take until it answers, once the reload was confirmed or its signal sent. */
const NEW_WORKER_MS = 30_000;

/** HAProxy is what disk says, but for the problems. */
export interface Reconciled extends Convergence {
  readonly process: HaproxyProcess;
  /** What was right already, in keys, slots and certificates. */
  readonly unchanged: number;
}

export interface Reloaded<Answer> extends Omit<Reconciled, "process"> {
  readonly answer: Answer;
  /** False where no new process came: nothing was reloaded, or nothing answers any more. */
  readonly replaced: boolean;
  /** That answers now, if any does. */
  readonly process?: HaproxyProcess;
  /** Old ones that still get a part of the connections, since their master could not end them. */
  readonly lingering: readonly HaproxyProcess[];
}

export interface ReloadParts {
  readonly runtime: RuntimeClient;
  readonly unfinished: Finisher;
  /** Under the file lock alone: reads go on. */
  readonly hold: <T>(act: () => Promise<T>) => Promise<T>;
  readonly exclusive: <T>(act: () => Promise<T>) => Promise<T>;
  readonly bringInLine: () => Promise<Reconciled>;
  readonly putFilesInOrder: () => Promise<void>;
}

export function reloader(parts: ReloadParts) {
  const { runtime, unfinished, bringInLine, putFilesInOrder } = parts;

  /** After the order: the new process, in line; or what is left where none came in time. */
  async function newProcess(
    before: HaproxyProcess | undefined,
    orderedAt: number,
  ): Promise<Omit<Reloaded<unknown>, "answer">> {
    // Uptimes are whole seconds. Without `before`, HAProxy was silent: it may be the old one that speaks again.
    const isNew = ({ key, uptime, stopping }: HaproxyProcess) =>
      !stopping &&
      (before ? key !== before.key : uptime * 1000 < performance.now() - orderedAt + 1_500);
    const end = performance.now() + NEW_WORKER_MS;
    while (await processThat(isNew, runtime, end)) {
      const reconciled = await parts.exclusive(bringInLine);
      // The old worker may have taken this connection, just before it stopped to listen.
      if (!isNew(reconciled.process)) continue;
      const lingering = (await readProcesses(runtime)).filter((each) => !isNew(each));
      return { ...reconciled, replaced: true, lingering };
    }
    const process = await readProcess(runtime).catch(() => undefined);
    return { replaced: false, lingering: [], changed: [], problems: [], unchanged: 0, process };
  }

  return async function reload<Answer>(
    act: () => Promise<Answer>,
    signal: AbortSignal,
  ): Promise<Reloaded<Answer>> {
    let ordered = false;
    const { promise: givenUp, reject } = Promise.withResolvers<never>();
    const onAbort = () => {
      if (ordered) reject(outcomeUnknown());
    };
    signal.addEventListener("abort", onAbort);
    const reloading = waitingWith(signal, parts.hold, async () => {
      await parts.exclusive(async () => {
        await unfinished.refresh();
        await putFilesInOrder();
      });
      const before = await onlyProcess(runtime).catch((cause) => {
        // One that hangs may be helped by the reload.
        if (AgentError.from(cause).code !== "HAPROXY_UNREACHABLE") throw cause;
        return undefined;
      });
      signal.throwIfAborted();
      ordered = true;
      const orderedAt = performance.now();
      const answer = await act();
      return { ...await newProcess(before, orderedAt), answer };
    });
    return await Promise.race([reloading, givenUp])
      .finally(() => signal.removeEventListener("abort", onAbort));
  };
}

const outcomeUnknown = () =>
  new AgentError("OUTCOME_UNKNOWN", "The reload goes on without its caller.", {
    hint: "haproxy_health shows which process serves.",
  });
