/** What is about all of HAProxy at once: how far it is from disk, bringing it there, and a reload in between. */
import { AgentError } from "../errors.ts";
import { converge } from "../reconcile/converge.ts";
import { onlyProcess } from "../reconcile/processes.ts";
import type { scopeReader } from "../reconcile/running.ts";
import type { Drift, Subject } from "../reconcile/subject.ts";
import type { Conversation, RuntimeClient } from "../runtime/connection.ts";
import { processOf, readInfo } from "../runtime/process.ts";
import type { PoolShape } from "../names/server.ts";
import { type Change, changesNothing } from "../state/model.ts";
import type { Store } from "../state/store.ts";
import type { CertificateKeeper, CertificatesView } from "./certificates/keeper.ts";
import type { CertificateTurn } from "./certificates/request.ts";
import type { Checkpoints } from "./checkpoints.ts";
import { driftReader } from "./drift.ts";
import type { ChangeRequest, Outcome, Preview } from "./request.ts";
import { type Reconciled, type Reloaded, reloader } from "./reload.ts";
import { replacer } from "./replace.ts";
import type { Replacement } from "./replacement.ts";
import { later } from "./late_commands.ts";
import type { Finisher } from "./unfinished.ts";
import { waitingWith } from "./waiting.ts";

/** Thousands of servers and certificates may have to be sent. */
const SEND_MS = 60_000;

export interface WholeDrift extends Drift {
  /** servers.state, which HAProxy reads at its next start, is not what servers.json says. */
  readonly staleServerState: boolean;
}

export interface Restored {
  readonly changed: readonly Subject[];
  readonly unchanged: number;
  readonly problems: readonly AgentError[];
  readonly preview?: Preview;
}

/** What can be told of the files without HAProxy. */
export interface FilesView {
  /** domains.map, servers.json or the journal can't be used: STATE_CORRUPT or STATE_IO. */
  readonly problem?: AgentError;
  readonly certificates: CertificatesView;
}

export interface Whole extends ReturnType<typeof replacer> {
  /** Reads only. Throws HAPROXY_UNREACHABLE. */
  drift(signal: AbortSignal): Promise<WholeDrift>;
  files(): Promise<FilesView>;
  /** The backend to which HAProxy's map leads a key now. */
  routeOf(key: string, conversation: Conversation): Promise<string | undefined>;
  /**
   * Runs `act` while no change is under way, in this process or another. Throws TIMEOUT where another holds the lock,
   * CONFLICT where two HAProxys share the port.
   */
  still<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** As `still`, for what looks at the files alone: reads go on meanwhile. Throws TIMEOUT. */
  whileHeld<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Brings all of HAProxy to what disk says, and goes on after a refusal. */
  reconcile(): Promise<Reconciled>;
  /**
   * First a change, where the plan has one; it is whole or not at all. Then as `reconcile`; what breaks that off after a
   * change was made is OUTCOME_UNKNOWN. Throws CONFLICT where two HAProxys share the port.
   */
  restore(request: ChangeRequest<null>): Promise<Restored>;
  /**
   * Puts the files in order, calls `act`, waits for another process and brings it in line, with no change in between;
   * reads go on. What `act` throws is passed on. An abort after the order leaves it going, and throws OUTCOME_UNKNOWN.
   * Throws CONFLICT where two HAProxys share the port.
   */
  reload<Answer>(act: () => Promise<Answer>, signal: AbortSignal): Promise<Reloaded<Answer>>;
}

export interface WholeParts {
  readonly store: Store;
  readonly runtime: RuntimeClient;
  readonly shape: PoolShape;
  readonly certificates: CertificateKeeper;
  readonly turn: CertificateTurn;
  readonly unfinished: Finisher;
  readonly saving: Checkpoints;
  readonly replacement: Replacement;
  readonly readScope: ReturnType<typeof scopeReader>;
  readonly assertAlone: () => Promise<void>;
  /** Under the file lock alone. */
  readonly hold: <T>(act: () => Promise<T>) => Promise<T>;
  /** Under the file lock, one at a time in this process, with memory up to date. */
  readonly locked: <T>(act: () => Promise<T>) => Promise<T>;
  readonly exclusive: <T>(act: () => Promise<T>) => Promise<T>;
  /** Carries out one change, under the lock. */
  readonly carryOut: (request: ChangeRequest<null>) => Promise<Outcome<null>>;
}

export function whole(parts: WholeParts): Whole {
  const { store, runtime, shape, certificates, unfinished, saving, readScope, locked } = parts;
  const lookAtHaproxy = driftReader(parts);

  async function look(signal: AbortSignal): Promise<WholeDrift> {
    const staleServerState = !store.dirty && await store.isServerStateStale();
    const drift = await lookAtHaproxy(signal);
    return { ...drift, staleServerState };
  }

  /** servers.state is read by HAProxy at its next start, and nobody else may write it: whoever did is put right. */
  async function putFilesInOrder(): Promise<void> {
    if (await store.isServerStateStale()) store.touch();
    await saving.catchUp();
  }

  async function bringInLine(): Promise<Reconciled> {
    const cutOff = await certificates.finish();
    const reconcile = async (conversation: Conversation): Promise<Reconciled> => {
      const process = processOf(await readInfo(conversation));
      const view = await readScope(conversation, "all");
      const options = { shape, keepGoing: true };
      const first = await converge(conversation, store.desired, "all", view, options);
      const then = await certificates.converge(conversation, process);
      const changed = [...first.changed, ...then.changed];
      const problems = [...cutOff, ...first.problems, ...then.problems];
      return { process, changed, problems, unchanged: unchanged(changed) };
    };
    const send = () => parts.turn(() => runtime.converse(reconcile, { deadlineMs: SEND_MS }));
    const first = await send();
    const reconciled = unfinished.doubtful ? both(first, await later(send)) : first;
    await unfinished.settled();
    await certificates.adopt();
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
      const { differences, problems, commands } = await lookAtHaproxy(request.signal);
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

  async function restore(request: ChangeRequest<null>): Promise<Restored> {
    // Healing may not have met the second one yet, and a whole HAProxy is worth a closer look.
    await onlyProcess(runtime);
    await unfinished.finish();
    if (request.dryRun) return await rehearse(request);
    const { changes } = request.plan(store.desired);
    const real = changes.filter((change) => !changesNothing(change));
    if (real.length > 0) await parts.carryOut(request);
    const { changed, problems } = await bringInLine().catch((cause) => {
      throw real.length > 0 ? restUnknown(cause) : cause;
    });
    const all = distinct([...subjectsOf(real), ...changed]);
    return { changed: all, unchanged: unchanged(all), problems };
  }

  return {
    async drift(signal) {
      await parts.exclusive(() => store.refreshForReading());
      const first = await look(signal);
      if (first.differences.length === 0 && !first.staleServerState) return first;
      // A change was under way, perhaps: with the lock there is none.
      return await waitingWith(signal, locked, () => look(signal)).catch((cause) => {
        if (AgentError.from(cause).code === "TIMEOUT") return first;
        throw cause;
      });
    },
    async files() {
      const problem = await parts.exclusive(() => store.refreshForReading())
        .then(() => undefined, AgentError.from);
      return { ...(problem && { problem }), certificates: await certificates.look() };
    },
    async routeOf(key, conversation) {
      const scope = { keys: new Set([key]), pools: new Set<string>() };
      const { running } = await readScope(conversation, scope);
      return running.map.get(key)?.[0];
    },
    still: (act, signal) =>
      waitingWith(signal, locked, async () => {
        await parts.assertAlone();
        return await act();
      }),
    whileHeld: (act, signal) => waitingWith(signal, parts.hold, act),
    reconcile: () => locked(bringInLine),
    restore: (request) => waitingWith(request.signal, locked, () => restore(request)),
    reload: reloader({ ...parts, bringInLine, putFilesInOrder }),
    ...replacer({ ...parts, bringInLine }),
  };
}

/** A refusal that says "nothing was changed" would be a lie here. */
function restUnknown(cause: unknown): AgentError {
  const { code, message } = AgentError.from(cause);
  return new AgentError(
    "OUTCOME_UNKNOWN",
    `The servers are restored and kept; whether all else is as the files say is not known: ${message}`,
    {
      hint: "haproxy_restore_state with source=desired looks again, and sends only what differs.",
      details: { code },
    },
  );
}

function subjectsOf(changes: readonly Change[]): Subject[] {
  return changes.filter((change) => !changesNothing(change)).map((change) =>
    change.kind === "map"
      ? { kind: "domain", name: change.key }
      : { kind: "server", name: `${change.pool}_${change.slot}` }
  );
}

function both(first: Reconciled, then: Reconciled): Reconciled {
  return { ...then, changed: distinct([...first.changed, ...then.changed]) };
}

function distinct(subjects: readonly Subject[]): readonly Subject[] {
  return [...new Map(subjects.map((each) => [`${each.kind} ${each.name}`, each])).values()];
}
