/** Calls that come together: which of them are carried out as one, and which have to wait for what becomes of those. */
import { AgentError } from "../errors.ts";
import { type Change, changesNothing } from "../state/model.ts";
import type { Store } from "../state/store.ts";
import type { ChangeRequest, Outcome, Plan } from "./request.ts";

export interface Job {
  readonly request: ChangeRequest<unknown>;
  resolve(outcome: Outcome<unknown>): void;
  reject(error: AgentError): void;
}

/** A job of the batch that has its plan. */
export interface Planned extends Job {
  readonly plan: Plan<unknown>;
  readonly real: readonly Change[];
}

export interface Batch {
  /** Memory holds their changes. */
  readonly planned: readonly Planned[];
  /** Refused by their own plans, which counted on the planned ones: true only once those are carried out. */
  readonly refused: readonly { readonly job: Job; readonly error: AgentError }[];
  /** Guards that have to see in HAProxy what the planned ones make of their pool. */
  readonly later: readonly Job[];
  /** Takes the changes out of memory. */
  takeBack(): void;
}

/** Plans the jobs one after the other, each on what those before it leave. What is refused in any case is rejected. */
export function planBatch(jobs: readonly Job[], store: Pick<Store, "desired" | "apply">): Batch {
  const planned: Planned[] = [];
  const refused: { job: Job; error: AgentError }[] = [];
  const later: Job[] = [];
  const undo: (() => void)[] = [];
  const isTouched = (pool: string) =>
    planned.some(({ real }) =>
      real.some((change) => change.kind === "server" && change.pool === pool)
    );

  for (const job of jobs) {
    const { request } = job;
    try {
      request.signal.throwIfAborted();
      const plan = request.plan(store.desired);
      if (plan.guard && isTouched(plan.guard.pool)) {
        later.push(job);
        continue;
      }
      const real = plan.changes.filter((change) => !changesNothing(change));
      undo.push(store.apply(real));
      planned.push({ ...job, plan, real });
    } catch (cause) {
      const error = AgentError.from(cause);
      if (planned.length > 0 && !request.signal.aborted) refused.push({ job, error });
      else job.reject(error);
    }
  }
  return {
    planned,
    refused,
    later,
    takeBack: () => undo.splice(0).toReversed().forEach((back) => back()),
  };
}
