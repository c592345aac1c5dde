/** Finishes what a crash or a silent HAProxy left half-way. Nobody was told that it is done. */
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import type { Convergence } from "../reconcile/converge.ts";
import type { Scope } from "../reconcile/running.ts";
import { inverse } from "../state/model.ts";
import type { Store, Unfinished } from "../state/store.ts";
import { twice } from "./late_commands.ts";
import { scopeOf } from "./request.ts";

export interface Finisher {
  readonly pending: boolean;
  /** HAProxy may still carry out a part of what was taken back. */
  readonly doubtful: boolean;
  /** Brings the store up to date, and takes up what others left. Under the lock. */
  refresh(): Promise<void>;
  /** Under the lock, before any new change. Throws HAPROXY_UNREACHABLE with the rest still pending, STATE_IO. */
  finish(): Promise<void>;
  /** All of HAProxy was brought in line with memory: that settles everything. */
  settled(): Promise<void>;
}

/**
 * @param restore brings a scope of HAProxy to what memory says; throws the first refusal unless `keepGoing`
 * @param save brings the files up to date, which empties the journal
 */
export function finisher(
  store: Store,
  restore: (scope: Scope, keepGoing: boolean) => Promise<Convergence>,
  save: () => Promise<void>,
): Finisher {
  let pending: readonly Unfinished[] = [];
  let asOf = 0;

  /** Carried out, or taken back where HAProxy refuses it. */
  async function carryOut({ entry }: Unfinished): Promise<void> {
    const scope = scopeOf(entry.changes);
    const refusal = await restore(scope, false).then(() => undefined, AgentError.from);
    if (refusal && refusal.code !== "HAPROXY_REJECTED") throw refusal;
    if (refusal) {
      store.apply(entry.changes.toReversed().map(inverse));
      // Reading the scope may be what HAProxy refuses: then it holds nothing of it either.
      await restore(scope, true).catch((cause) => log.debug(AgentError.from(cause).message));
    }
    await store.mark(refusal ? "undone" : "done", [entry.seq]);
    log.info(
      `${entry.tool} was cut off: ${refusal ? `taken back, as ${refusal.message}` : "carried out"}`,
    );
  }

  /** All in one go: what is late needs a wait, and a batch of calls fails together. */
  async function takeBack(doubtful: readonly Unfinished[]): Promise<void> {
    if (doubtful.length === 0) return;
    const entries = doubtful.map(({ entry }) => entry);
    await twice(() => restore(scopeOf(entries.flatMap(({ changes }) => changes)), true));
    await store.mark("undone", entries.map(({ seq }) => seq));
    for (const { tool } of entries) log.info(`${tool} had failed half-way: HAProxy is rid of it`);
  }

  return {
    get pending() {
      return pending.length > 0;
    },
    get doubtful() {
      return pending.some(({ applied }) => !applied);
    },
    async refresh() {
      const left = await store.refresh();
      // Another process may have finished what was pending: taken back now, its later changes would be lost.
      pending = store.loads === asOf ? [...pending, ...left] : left;
      asOf = store.loads;
    },
    async finish() {
      if (pending.length === 0) return;
      await takeBack(pending.filter(({ applied }) => !applied));
      pending = pending.filter(({ applied }) => applied);
      while (pending.length > 0) {
        await carryOut(pending[0]);
        pending = pending.slice(1);
      }
      await save();
    },
    async settled() {
      const seqs = (applied: boolean) =>
        pending.filter((each) => each.applied === applied).map(({ entry }) => entry.seq);
      await store.mark("done", seqs(true));
      await store.mark("undone", seqs(false));
      pending = [];
    },
  };
}
