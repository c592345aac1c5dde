/** What is about all of HAProxy at once: how far it is from disk, bringing it there, and a reload in between. */
import type { AgentError } from "../errors.ts";
import { converge, type Convergence, lacks } from "../reconcile/converge.ts";
import { diff, inOrder } from "../reconcile/diff.ts";
import { anotherProcess, readProcess } from "../reconcile/processes.ts";
import type { scopeReader } from "../reconcile/running.ts";
import type { Drift, Subject } from "../reconcile/subject.ts";
import type { RuntimeClient } from "../runtime/connection.ts";
import { type HaproxyProcess, processOf, readInfo } from "../runtime/process.ts";
import type { PoolShape } from "../names/server.ts";
import { type Change, changesNothing } from "../state/model.ts";
import type { Store } from "../state/store.ts";
import type { CertificateKeeper } from "./certificates.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { ChangeRequest, Outcome, Preview } from "./request.ts";
import type { Finisher } from "./unfinished.ts";

/** Thousands of servers and certificates may have to be sent. */
const DEADLINE_MS = 60_000;
/** How long a new worker may take until it answers, once the reload was confirmed or its signal sent. */
const NEW_WORKER_MS = 30_000;

export interface WholeDrift extends Drift {
  /** servers.state, which HAProxy reads at its next start, is not what servers.json says. */
  readonly staleServerState: boolean;
}

/** HAProxy is what disk says, but for the problems. */
export interface Reconciled extends Convergence {
  readonly process: HaproxyProcess;
  /** What was right already, in keys, slots and certificates. */
  readonly unchanged: number;
}

export interface Restored {
  readonly changed: readonly Subject[];
  readonly unchanged: number;
  readonly problems: readonly AgentError[];
  readonly preview?: Preview;
}

export interface Reloaded<Answer> extends Reconciled {
  readonly answer: Answer;
  /** False where the process that answered before still does: nothing was reloaded. */
  readonly replaced: boolean;
}

export interface Whole {
  /** Reads only. Throws HAPROXY_UNREACHABLE. */
  drift(): Promise<WholeDrift>;
  /** How many certificates there are on disk, as read last. */
  certificateCount(): number;
  /** Runs `act` while no change is under way, in this process or another. Throws TIMEOUT where another holds the lock. */
  still<T>(act: () => Promise<T>): Promise<T>;
  /** Brings all of HAProxy to what disk says, and goes on after a refusal. */
  reconcile(): Promise<Reconciled>;
  /** First a change, where the plan has one; it is whole or not at all. Then as `reconcile`. */
  restore(request: ChangeRequest<null>): Promise<Restored>;
  /**
   * Puts the files in order, calls `act`, waits for another process and brings it in line, with no change in between.
   * What `act` throws is passed on.
   */
  reload<Answer>(act: () => Promise<Answer>, signal: AbortSignal): Promise<Reloaded<Answer>>;
}

export interface WholeParts {
  readonly store: Store;
  readonly runtime: RuntimeClient;
  readonly shape: PoolShape;
  readonly certificates: CertificateKeeper;
  readonly unfinished: Finisher;
  readonly saving: Checkpoints;
  readonly readScope: ReturnType<typeof scopeReader>;
  readonly locked: <T>(act: () => Promise<T>) => Promise<T>;
  readonly exclusive: <T>(act: () => Promise<T>) => Promise<T>;
  /** Carries out one change, under the lock. */
  readonly carryOut: (request: ChangeRequest<null>) => Promise<Outcome<null>>;
}

export function whole(parts: WholeParts): Whole {
  const { store, runtime, shape, certificates, unfinished, saving, readScope, locked } = parts;

  async function look(): Promise<WholeDrift> {
    const staleServerState = !store.dirty && await store.isServerStateStale();
    const drift = await lookAtHaproxy();
    return { ...drift, staleServerState };
  }

  function lookAtHaproxy(): Promise<Drift> {
    return runtime.converse(async (conversation) => {
      const view = await readScope(conversation, "all");
      const { list, missing } = diff(store.desired, view.running, "all", view.map);
      const others = await certificates.drift(conversation);
      return {
        differences: [
          ...list.map(({ kind, subject }) => ({ kind, name: subject })),
          ...missing.map((name) => ({ kind: "server", name } as const)),
          ...others.differences,
        ],
        problems: [...missing.map(lacks), ...others.problems],
        commands: [...inOrder(list).map(({ line }) => line), ...others.commands],
      };
    }, { deadlineMs: DEADLINE_MS });
  }

  /** servers.state is read by HAProxy at its next start, and nobody else may write it: whoever did is put right. */
  async function putFilesInOrder(): Promise<void> {
    if (await store.isServerStateStale()) store.touch();
    await saving.catchUp();
  }

  async function bringInLine(): Promise<Reconciled> {
    const reconciled = await runtime.converse(async (conversation) => {
      const process = processOf(await readInfo(conversation));
      const view = await readScope(conversation, "all");
      const options = { shape, keepGoing: true };
      const first = await converge(conversation, store.desired, "all", view, options);
      const then = await certificates.converge(conversation);
      const changed = [...first.changed, ...then.changed];
      const problems = [...first.problems, ...then.problems];
      return { process, changed, problems, unchanged: unchanged(changed) };
    }, { deadlineMs: DEADLINE_MS });
    await unfinished.settled();
    await putFilesInOrder();
    return reconciled;
  }

  function unchanged(changed: readonly Subject[]): number {
    let slots = 0;
    const servers = new Set<string>();
    for (const [pool, filled] of store.desired.pools()) {
      slots += filled.size;
      for (const slot of filled.keys()) servers.add(`${pool}_${slot}`);
    }
    const touched = changed.filter(({ kind, name }) =>
      kind === "certificate" ||
      (kind === "domain" ? store.desired.backendOf(name) !== undefined : servers.has(name))
    );
    return store.desired.keyCount + slots + certificates.count - touched.length;
  }

  /** What would change: files by the plan, and all that HAProxy would be sent then. */
  async function rehearse(request: ChangeRequest<null>): Promise<Restored> {
    const { changes } = request.plan(store.desired);
    const { preview } = await parts.carryOut(request);
    const takeBack = store.apply(changes.filter((change) => !changesNothing(change)));
    try {
      const { differences, problems, commands } = await lookAtHaproxy();
      const changed = distinct([...subjectsOf(changes), ...differences]);
      return {
        changed,
        unchanged: unchanged(changed),
        problems,
        preview: { files: preview?.files ?? [], commands },
      };
    } finally {
      takeBack();
    }
  }

  return {
    certificateCount: () => certificates.count,
    async drift() {
      const first = await parts.exclusive(async () => {
        await store.refreshForReading();
        return await look();
      });
      if (first.differences.length === 0 && !first.staleServerState) return first;
      // Another process may have been in the middle of a change.
      return await locked(look);
    },
    still: locked,
    reconcile: () => locked(bringInLine),
    restore: (request) =>
      locked(async () => {
        await unfinished.finish();
        if (request.dryRun) return await rehearse(request);
        const { changes } = request.plan(store.desired);
        const real = changes.filter((change) => !changesNothing(change));
        if (real.length > 0) await parts.carryOut(request);
        const { changed, problems } = await bringInLine();
        const all = distinct([...subjectsOf(real), ...changed]);
        return { changed: all, unchanged: unchanged(all), problems };
      }),
    reload: (act, signal) =>
      locked(async () => {
        await putFilesInOrder();
        // One that hangs may be helped by the reload.
        const before = await readProcess(runtime).catch(() => undefined);
        const answer = await act();
        const now = await anotherProcess(runtime, before, NEW_WORKER_MS, signal);
        for (;;) {
          const reconciled = await bringInLine();
          const replaced = now !== undefined && reconciled.process.key !== before?.key;
          // The old worker may have taken this connection, just before it stopped to listen.
          if (now === undefined || replaced) return { ...reconciled, answer, replaced };
        }
      }),
  };
}

function subjectsOf(changes: readonly Change[]): Subject[] {
  return changes.filter((change) => !changesNothing(change)).map((change) =>
    change.kind === "map"
      ? { kind: "domain", name: change.key }
      : { kind: "server", name: `${change.pool}_${change.slot}` }
  );
}

function distinct(subjects: readonly Subject[]): readonly Subject[] {
  return [...new Map(subjects.map((each) => [`${each.kind} ${each.name}`, each])).values()];
}
