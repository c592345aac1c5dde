/**
 * The one path of every change: plan, look at HAProxy, journal, HAProxy, read back, checkpoint, answer. Callers that come
 * together share the journal's write, the connection and the checkpoint; each gets its own answer.
 */
import type { Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import { converge, type Convergence, lacks } from "../reconcile/converge.ts";
import { diff, inOrder } from "../reconcile/diff.ts";
import { type Scope, scopeReader } from "../reconcile/running.ts";
import { showServerStat } from "../runtime/commands.ts";
import type { Conversation, RuntimeClient } from "../runtime/connection.ts";
import { parseStat } from "../runtime/parse.ts";
import type { Lock } from "../state/lock.ts";
import type { Change, Desired } from "../state/model.ts";
import type { Store } from "../state/store.ts";
import type { RootFiles } from "../sandbox/files.ts";
import { type Job, planBatch, type Planned } from "./batch.ts";
import { type CertificateChanges, certificateChanges } from "./certificates/change.ts";
import type { CertificateTurn } from "./certificates/request.ts";
import { certificateKeeper } from "./certificates/keeper.ts";
import { checkpoints } from "./checkpoints.ts";
import { changedLines, preview } from "./preview.ts";
import { type ChangeRequest, type Outcome, scopeOf } from "./request.ts";
import { fellSilent, twice } from "./late_commands.ts";
import { replacement } from "./replacement.ts";
import { finisher } from "./unfinished.ts";
import { type Whole, whole } from "./whole.ts";

/** More callers than this wait for the next batch, so that one batch stays within the tools' deadlines. */
const MAX_BATCH = 64;

export interface Transactions extends Whole {
  readonly certificates: Omit<CertificateChanges, "finish" | `${string}Held` | "staged">;
  /** Reads the files for the first time, under the lock. Throws STATE_CORRUPT, STATE_IO or TIMEOUT. */
  open(): Promise<void>;
  change<Result>(request: ChangeRequest<Result>): Promise<Outcome<Result>>;
  /** Calls `use` with the desired state as disk holds it, never in the middle of a change. */
  read<Result>(use: (desired: Desired) => Result): Promise<Result>;
  /** Finishes what somebody left half-way, if there is any. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

export interface TransactionParts {
  readonly settings: Pick<Settings, "files" | "haproxy">;
  readonly store: Store;
  readonly lock: Lock;
  readonly runtime: RuntimeClient;
  readonly files: RootFiles;
  readonly turn: CertificateTurn;
  /** Told of every change that has been carried out. */
  readonly onChange: (changes: readonly Change[]) => void;
  /** Asked before HAProxy is sent a change. Throws CONFLICT where two HAProxys share the port. */
  readonly assertAlone: () => Promise<void>;
}

/** These say something about one call of a batch, not about HAProxy or the disk: the others may still succeed. */
const ONE_CALLS_FAULT = new Set(["REFUSED", "HAPROXY_REJECTED", "VALIDATION", "INTERNAL"]);

export function transactions(parts: TransactionParts): Transactions {
  const { settings, store, runtime, files } = parts;
  const { files: paths, haproxy: shape } = settings;
  const replacing = replacement(files, paths);
  /** What was cut off of a restore is finished first: until then the files are partly old. */
  const lock: Lock = {
    ...parts.lock,
    hold: (act) =>
      parts.lock.hold(async () => {
        await replacing.finish();
        return await act();
      }),
  };
  const changes = certificateChanges({
    files,
    paths,
    runtime,
    lock,
    turn: parts.turn,
    assertAlone: parts.assertAlone,
  });
  const certificates = certificateKeeper({ files, paths, runtime, changes, turn: parts.turn });
  const readScope = scopeReader({ mapFile: paths.map, mapName: shape.mapName, shape });
  const queue: Job[] = [];
  let working = false;
  let turn: Promise<unknown> = Promise.resolve();
  /** One at a time in this process: a batch, a read's refresh, a checkpoint. */
  function exclusive<T>(act: () => Promise<T>): Promise<T> {
    const mine = turn.then(act);
    turn = mine.catch(() => {});
    return mine;
  }
  /** Under the file lock, with memory up to date. */
  const locked = <T>(act: () => Promise<T>) =>
    lock.hold(() =>
      exclusive(async () => {
        await unfinished.refresh();
        return await act();
      })
    );

  const unfinished = finisher(store, restore, () => saving.catchUp());
  const saving = checkpoints(store, locked);

  /** Nobody reads the half of it. */
  const finishReplacement = async () => {
    if (replacing.pending) await lock.hold(() => Promise.resolve());
  };

  async function work(): Promise<void> {
    working = true;
    while (queue.length > 0) {
      try {
        await locked(() => runBatch(queue.splice(0, MAX_BATCH)));
      } catch (cause) {
        // The lock or the files: nobody's plan has begun.
        for (const job of queue.splice(0)) job.reject(AgentError.from(cause));
      }
    }
    working = false;
  }

  async function runBatch(jobs: readonly Job[]): Promise<void> {
    try {
      await unfinished.finish();
    } catch (cause) {
      return jobs.forEach((job) => job.reject(AgentError.from(cause)));
    }
    const writes = jobs.filter((job) => !job.request.dryRun);
    await attempt(writes);
    for (const job of jobs) if (job.request.dryRun) await attempt([job]);
  }

  async function attempt(jobs: readonly Job[]): Promise<void> {
    const { planned, refused, later, takeBack } = planBatch(jobs, store);
    if (planned.length === 0) return;
    const waiting = [...refused.map(({ job }) => job), ...later];
    try {
      await parts.assertAlone();
      const scope = scopeOf(planned.flatMap(({ plan }) => plan.changes));
      const outcomes = await runtime.converse((conversation) =>
        carryOut(conversation, planned, scope, takeBack)
      );
      planned.forEach((job, i) => job.resolve(outcomes[i]));
    } catch (cause) {
      takeBack();
      const error = AgentError.from(cause);
      if (!ONE_CALLS_FAULT.has(error.code)) {
        return [...planned, ...waiting].forEach((job) => job.reject(error));
      }
      if (planned.length === 1) planned[0].reject(error);
      else {
        for (const { request, resolve, reject } of planned) {
          await attempt([{ request, resolve, reject }]);
        }
      }
      return await attempt(waiting);
    }
    for (const { job, error } of refused) job.reject(error);
    await attempt(later);
  }

  async function carryOut(
    conversation: Conversation,
    planned: readonly Planned[],
    scope: Scope,
    takeBack: () => void,
  ): Promise<Outcome<unknown>[]> {
    const guards = planned.flatMap(({ plan }) => plan.guard ?? []);
    const view = await readScope(
      conversation,
      scope,
      guards.map((guard) => showServerStat(guard.pool)),
    );
    guards.forEach((guard, i) => guard.check(parseStat(view.extra[i])));
    const differences = diff(store.desired, view.running, scope, view.map);
    for (const name of differences.missing) throw lacks(name);

    if (planned[0].request.dryRun) {
      const commands = inOrder(differences.list);
      const [{ plan }] = planned;
      takeBack();
      return [{
        result: plan.result,
        changed: [],
        preview: preview(plan.changes, commands, paths),
      }];
    }
    const entries = planned.filter(({ real }) => real.length > 0)
      .map(({ request, real }) => ({ tool: request.tool, changes: real }));
    const save = entries.length > 0 ? await saving.begin(entries) : undefined;
    try {
      await converge(conversation, store.desired, scope, view, { shape, keepGoing: false });
    } catch (cause) {
      takeBack();
      const again = () => restore(scope, true);
      const clean = await (fellSilent(cause) ? twice(again) : again()).then(
        () => true,
        (failure) => {
          log.warning(
            `HAProxy may hold a part of a failed change: ${AgentError.from(failure).message}`,
          );
          return false;
        },
      );
      await save?.abandon(clean);
      throw cause;
    }
    await save?.finish();
    const real = planned.flatMap(({ real }) => real);
    if (real.length > 0) parts.onChange(real);
    return planned.map(({ plan, real }) => ({
      result: plan.result,
      changed: changedLines(real, paths),
    }));
  }

  /** Brings a scope of HAProxy to what memory says, on a connection of its own. */
  function restore(scope: Scope, keepGoing: boolean): Promise<Convergence> {
    return runtime.converse(async (conversation) => {
      const view = await readScope(conversation, scope);
      return await converge(conversation, store.desired, scope, view, { shape, keepGoing });
    });
  }

  return {
    ...whole({
      store,
      runtime,
      shape,
      certificates,
      turn: parts.turn,
      unfinished,
      saving,
      replacement: replacing,
      readScope,
      assertAlone: parts.assertAlone,
      hold: lock.hold,
      locked,
      exclusive,
      carryOut: (request) =>
        new Promise((resolve, reject) => {
          void attempt([{ request, resolve, reject } as unknown as Job]);
        }),
    }),
    certificates: changes,
    open: () =>
      locked(async () => {
        // What can't be read may need any of the files that were left: they stay then.
        const needed = await changes.staged().catch((cause) => {
          log.error(AgentError.from(cause).message);
        });
        if (needed) await store.tidy(needed);
      }),
    change: (request) =>
      new Promise((resolve, reject) => {
        const { signal } = request;
        // The queue holds results of many types; each goes back to the caller whose plan made it.
        const job = { request, resolve, reject } as unknown as Job;
        queue.push(job);
        // Who waits for a reload, or for another process, need not wait with it.
        signal.addEventListener("abort", () => {
          const at = queue.indexOf(job);
          if (at < 0) return;
          queue.splice(at, 1);
          reject(AgentError.from(signal.reason));
        }, { once: true });
        if (!working) void work();
      }),
    async read(use) {
      await finishReplacement();
      return await exclusive(async () => {
        await store.refreshForReading();
        return use(store.desired);
      });
    },
    async finish() {
      await finishReplacement();
      await exclusive(() => store.refreshForReading());
      if (store.unfinished || unfinished.pending) {
        await locked(async () => {
          await unfinished.finish();
          await saving.catchUp();
        });
      }
      await changes.finish();
    },
    async close() {
      await saving.close();
      store.close();
      lock.close();
    },
  };
}
