/**
 * The store: the desired state in memory, as files plus journal hold it on disk. Other processes and people write the
 * same files, so every use begins with a look whether they did.
 */
import { dirname } from "node:path";
import type { Files } from "../config.ts";
import type { PoolShape } from "../names/server.ts";
import type { RootFiles, Signature } from "../sandbox/files.ts";
import { AgentError } from "../errors.ts";
import { type JournalEntry, type JournalRecord, type Mark, openJournal } from "./journal.ts";
import { assertMapMayBeMissing, missingServers } from "./lost_files.ts";
import { type MapFile, parseMapFile } from "./map_file.ts";
import {
  type Change,
  changesBetween,
  changesNothing,
  currentValue,
  type Desired,
  type DesiredState,
  desiredState,
  inverse,
  sameServer,
  type Server,
} from "./model.ts";
import { parseServersFile, renderServersFile } from "./servers_file.ts";
import { renderServerStateFile } from "./server_state_file.ts";

/** Files written beside the old ones, one rename away from being the state. */
export interface PreparedCheckpoint {
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** What somebody could not finish: a change that a crash cut off, or one that could not be undone in HAProxy. */
export interface Unfinished {
  readonly entry: JournalEntry;
  /** Memory holds the change: it is to be carried out. Else HAProxy is to be rid of it. */
  readonly applied: boolean;
}

export interface Store {
  readonly desired: Desired;
  /** Brings memory up to date without the lock, for reading: changes that are still under way are left out. */
  refreshForReading(): Promise<void>;
  /** Brings memory up to date under the lock. Answers, once, what others left unfinished. */
  refresh(): Promise<readonly Unfinished[]>;
  /** True when the journal, as read last, holds something unfinished that `refresh` has not answered yet. */
  readonly unfinished: boolean;
  /** How often the files were read. What was unfinished before the last time may be finished by now. */
  readonly loads: number;
  /** Applies changes in memory; the answer takes them back, later ones first where there were several. */
  apply(changes: readonly Change[]): () => void;
  /** Removes what a crash left of half-written files, but for those to be kept. Under the lock. */
  tidy(kept?: readonly string[]): Promise<void>;
  /** Appends one entry for each list of changes, in one write, fsynced. Answers their numbers. */
  record(
    entries: readonly { readonly tool: string; readonly changes: readonly Change[] }[],
  ): Promise<number[]>;
  mark(mark: Mark, seqs: readonly number[]): Promise<void>;
  /** True when a checkpoint has something to do: files to write, or a journal to empty. */
  readonly dirty: boolean;
  /** True when servers.state, which only we write, is not what memory says. */
  isServerStateStale(): Promise<boolean>;
  /** The next checkpoint writes servers.json and servers.state anew. Under the lock. */
  touch(): void;
  /** Under the lock, after `refresh`. */
  prepareCheckpoint(): Promise<PreparedCheckpoint>;
  close(): void;
}

/** @param onReload told what others have changed, once it has been read */
export function openStore(
  files: RootFiles,
  paths: Files,
  shape: PoolShape,
  onReload: (changes: readonly Change[]) => void = () => {},
): Store {
  const journal = openJournal(files, paths.journal);
  let state: DesiredState = desiredState();
  let mapFile: MapFile = parseMapFile("", paths.map);
  let unfinished: readonly Unfinished[] = [];
  /** Numbers of unfinished entries that have no final mark yet: the journal is kept for them. */
  const unsettled = new Set<number>();
  let lastSeq = 0;
  let journalLength = 0;
  const dirty = { map: false, servers: false };
  /** The journal is not empty. */
  let journaled = false;

  // Looked at one by one: after a write of our own only that file's signature is taken as seen, so an edit of another
  // file in the same moment is still noticed.
  const signatures = {
    map: () => files.signature(paths.map),
    servers: () => files.signature(paths.servers),
    journal: journal.signature,
  };
  type Watched = keyof typeof signatures;
  const watched = Object.keys(signatures) as Watched[];
  const seen: Partial<Record<Watched, Signature>> = {};
  const see = (...names: Watched[]) => names.forEach((name) => seen[name] = signatures[name]());
  const changed = (...names: Watched[]) => names.some((name) => seen[name] !== signatures[name]());

  function applyOne(change: Change): void {
    state.apply(change);
    if (change.kind === "map") {
      mapFile.set(change.key, change.after);
      dirty.map = true;
    } else {
      dirty.servers = true;
    }
  }

  /** The journal is read first: an entry that is gone by then stands in the files that are read next. */
  async function load(withOpen: boolean): Promise<void> {
    const content = await journal.read();
    const mapText = await files.read(paths.map);
    const nextMap = parseMapFile(mapText ?? "", paths.map);
    const backends = new Map(nextMap.entries());
    const serversText = await files.read(paths.servers) ??
      missingServers(paths, backends.values(), shape);
    const servers = parseServersFile(serversText, paths.servers, shape, (key) => backends.get(key));
    if (mapText === undefined) assertMapMayBeMissing(paths, servers.size > 0, content);
    mapFile = nextMap;
    state = desiredState(backends, servers);
    lastSeq = content.lastSeq;
    journaled = content.length > 0;
    journalLength = content.length;
    dirty.map = false;
    dirty.servers = renderServersFile(servers) !== serversText ||
      renderServerStateFile(servers) !== await files.read(paths.serverState);
    for (const entry of [...content.done, ...withOpen ? content.open : []]) {
      entry.changes.forEach(replay);
    }
    unfinished = [
      ...content.doubtful.map((entry) => ({ entry, applied: false })),
      ...content.open.map((entry) => ({ entry, applied: true })),
    ];
    unsettled.clear();
    for (const { entry } of unfinished) unsettled.add(entry.seq);
  }

  /** A value that is neither what the entry found nor what it wrote was edited by a person since: it stays. */
  function replay(change: Change): void {
    const current = currentValue(state, change);
    const same = change.kind === "map"
      ? current === change.before
      : sameServer(current as Server | null, change.before);
    if (same && !changesNothing(change)) applyOne(change);
  }

  let loads = 0;

  async function loadWhole(withOpen: boolean): Promise<void> {
    const before = state;
    await loadUndisturbed(withOpen);
    if (loads > 0) onReload(changesBetween(before, state));
    loads++;
  }

  async function loadUndisturbed(withOpen: boolean): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      see(...watched);
      try {
        await load(withOpen);
      } catch (cause) {
        // What could not be read has not been seen: the next call tries again.
        for (const name of watched) delete seen[name];
        throw cause;
      }
      // A journal that grew meanwhile is no fault: what was read is the state of a moment ago, for a reader without the
      // lock. Only a checkpoint touches the files, too.
      if (!changed("map", "servers")) return;
    }
    throw new AgentError("STATE_IO", `The files under ${files.root} change all the time.`, {
      hint: "Find out what else writes domains.map and servers.json.",
    });
  }

  const store: Store = {
    get desired() {
      return state;
    },
    get unfinished() {
      return unfinished.length > 0;
    },
    get loads() {
      return loads;
    },
    get dirty() {
      return dirty.map || dirty.servers || journaled;
    },
    async refreshForReading() {
      if (changed(...watched)) await loadWhole(false);
    },
    async refresh() {
      if (changed(...watched) || unfinished.length > 0) {
        await loadWhole(true);
        await journal.trim(journalLength);
        see("journal");
      }
      const left = unfinished;
      unfinished = [];
      return left;
    },
    apply(changes) {
      const before = { ...dirty };
      changes.forEach(applyOne);
      return () => {
        changes.toReversed().map(inverse).forEach(applyOne);
        Object.assign(dirty, before);
      };
    },
    async tidy(kept) {
      const { map, servers, serverState, certificates, crtList, certificateJournal, audit } = paths;
      const written = [map, servers, serverState, certificates, crtList, certificateJournal, audit];
      for (
        const folder of new Set([...written.map(dirname), paths.certsFolder, paths.acmeFolder])
      ) {
        // Those for certificates need not be there.
        if (await files.mode(folder) !== undefined) await files.removeStaged(folder, kept);
      }
    },
    async record(entries) {
      const records = entries.map(({ tool, changes }): JournalRecord & { seq: number } => ({
        t: "change",
        seq: ++lastSeq,
        tool,
        changes,
      }));
      await journal.append(records, true);
      journaled = true;
      see("journal");
      return records.map((record) => record.seq);
    },
    async mark(mark, seqs) {
      if (seqs.length === 0) return;
      // A lost `done` is harmless: the change is carried out once more, to no effect.
      await journal.append([{ t: mark, seqs }], mark !== "done");
      journaled = true;
      for (const seq of seqs) unsettled.delete(seq);
      see("journal");
      // Not seen: the next refresh finds it, here as in any other process.
      if (mark === "doubtful") delete seen.journal;
    },
    async isServerStateStale() {
      return renderServerStateFile(state.pools()) !== await files.read(paths.serverState);
    },
    touch() {
      dirty.servers = true;
    },
    async prepareCheckpoint() {
      const pools = [...state.pools()];
      // Servers before the map, so that a domain never leads to a pool that is still empty on disk.
      const texts: (readonly [string, string])[] = [
        ...(dirty.servers
          ? [
            [paths.servers, renderServersFile(pools)] as const,
            [paths.serverState, renderServerStateFile(pools)] as const,
          ]
          : []),
        ...(dirty.map ? [[paths.map, mapFile.text()] as const] : []),
      ];
      const staged = await stageAll(files, texts);
      const discard = async () => void await Promise.all(staged.map((file) => file.discard()));
      return {
        discard,
        async commit() {
          if (changed("map", "servers")) {
            // A person edited a file since the refresh: the edit goes first, and the journal over it.
            await discard();
            await loadWhole(true);
            return await (await store.prepareCheckpoint()).commit();
          }
          for (const [i, [path]] of texts.entries()) {
            await staged[i].commit();
            // As it was staged: whoever edits the file from now on is seen.
            if (path === paths.map) seen.map = staged[i].signature;
            if (path === paths.servers) seen.servers = staged[i].signature;
          }
          await files.syncFolders(texts.map(([path]) => path));
          dirty.map = dirty.servers = false;
          if (unsettled.size > 0 || seen.journal === undefined) return;
          await journal.clear();
          see("journal");
          journaled = false;
        },
      };
    },
    close: () => journal.close(),
  };
  return store;
}

async function stageAll(files: RootFiles, texts: readonly (readonly [string, string])[]) {
  const outcomes = await Promise.allSettled(texts.map(([path, text]) => files.stage(path, text)));
  const staged = outcomes.flatMap((o) => o.status === "fulfilled" ? [o.value] : []);
  const failed = outcomes.find((o) => o.status === "rejected");
  if (!failed) return staged;
  await Promise.all(staged.map((file) => file.discard()));
  throw failed.reason;
}
