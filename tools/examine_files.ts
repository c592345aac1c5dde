/** What `doctor` reads under the root. Nothing is written, and a lock is held without a trace. */
import type { AcmeSettings, Files } from "../lib/config.ts";
import { AgentError, type AgentErrorData } from "../lib/errors.ts";
import { inventory, type InventoryEntry, isManaged } from "../lib/issuance/inventory.ts";
import { hasAccount } from "../lib/issuance/source.ts";
import { look, type Looked } from "../lib/looked.ts";
import { pause } from "../lib/pause.ts";
import type { RuntimeClient } from "../lib/runtime/connection.ts";
import type { RootFiles } from "../lib/sandbox/files.ts";
import { certificateJournal } from "../lib/state/certificate_journal.ts";
import { certificateFiles } from "../lib/state/certificates.ts";
import { parseJournal } from "../lib/state/journal.ts";
import { holdQuietly } from "../lib/state/lock.ts";
import { replacementJournal } from "../lib/state/replacement_journal.ts";
import { serverStateFlaw } from "../lib/state/server_state_file.ts";
import type { Store } from "../lib/state/store.ts";
import { readCertificatesJson } from "../lib/transaction/certificates/disk.ts";
import type { CertificateTurn } from "../lib/transaction/certificates/request.ts";

/** A certificate that is served, or that disk alone has. */
export interface CertificateSeen {
  readonly name: string;
  readonly file: string;
  /** A crt-list's line or certificates.json names it. */
  readonly served: boolean;
  /** The agent renews it. */
  readonly managed: boolean;
  readonly notBefore?: string;
  readonly notAfter?: string;
  /** Why it can't be served. */
  readonly problem?: string;
  /** How its last renewal failed. */
  readonly failure?: { readonly at: string; readonly message: string };
}

export interface FilesSeen {
  /** domains.map, servers.json and the journal, read as every tool reads them. */
  readonly desired: Looked<{ readonly domains: number; readonly servers: number }>;
  /** The domains of the map, by the backend that they lead to, but for the pools. */
  readonly routes: Looked<readonly (readonly [backend: string, keys: readonly string[]])[]>;
  /** Why HAProxy would not start with the right servers; null: it would. */
  readonly serverStateFlaw: Looked<string | null>;
  /** The tools whose changes were cut off. */
  readonly unfinished: Looked<readonly string[]>;
  /** Files of a restore wait to be put in place. */
  readonly restoreCutOff: Looked<boolean>;
  /** Locks that are held for longer than any change takes. */
  readonly heldLocks: Looked<readonly AgentErrorData[]>;
  readonly certificates: Looked<{
    readonly count: number;
    readonly problems: readonly AgentErrorData[];
  }>;
  readonly inventory: Looked<readonly CertificateSeen[]>;
  /** There is an account at the CA. */
  readonly registered: Looked<boolean>;
}

export interface FilesParts {
  readonly files: RootFiles;
  readonly paths: Files;
  readonly store: Store;
  readonly runtime: RuntimeClient;
  readonly turn: CertificateTurn;
  readonly acme: Pick<AcmeSettings, "client" | "directory">;
  readonly heldLocks: FilesSeen["heldLocks"];
}

/** A change is under way for less: from its journal entry to the files, which may wait a second for others. */
const CHANGE_MS = 1_500;
const LOCK_WAIT_MS = 3_000;
/** Names that are kept of one backend. */
const MAX_KEYS = 20;

export async function examineFiles(parts: FilesParts): Promise<FilesSeen> {
  const { files, paths, store } = parts;
  const restore = replacementJournal(files, paths.restoreJournal);
  const [unfinished, restoreCutOff, certificates, seen, registered] = await Promise.all([
    look(() => lasting(() => readUnfinished(parts), ({ length }) => length > 0)),
    look(() => lasting(async () => await restore.read() !== undefined, (isOpen) => isOpen)),
    look(() => readCertificates(parts)),
    look(() => readInventory(parts)),
    look(() => hasAccount({ files, acmeFolder: paths.acmeFolder, ...parts.acme })),
  ]);
  // Last: what was under way when the journal was read is in the files by now.
  const desired = await look(async () => {
    await store.refreshForReading();
    let servers = 0;
    for (const [, slots] of store.desired.pools()) servers += slots.size;
    return { domains: store.desired.keyCount, servers };
  });
  const flaw = await look(() => lasting(() => readServerStateFlaw(parts), (flaw) => flaw !== null));
  return {
    desired,
    routes: await look(() => readRoutes(parts)),
    serverStateFlaw: flaw,
    unfinished,
    restoreCutOff,
    heldLocks: parts.heldLocks,
    certificates,
    inventory: seen,
    registered,
  };
}

/** Looks once more a moment later where something seems wrong: changes go on meanwhile. */
export async function lasting<T>(
  look: () => Promise<T>,
  isWrong: (seen: T) => boolean,
  ms = CHANGE_MS,
): Promise<T> {
  const first = await look();
  if (!isWrong(first)) return first;
  await pause(ms);
  return await look();
}

async function readUnfinished({ files, paths }: FilesParts): Promise<readonly string[]> {
  const { open, doubtful } = parseJournal(await files.read(paths.journal) ?? "", paths.journal);
  const certificate = await certificateJournal(files, paths.certificateJournal).read();
  return [...open, ...doubtful, ...certificate ? [certificate] : []].map(({ tool }) => tool);
}

/** Before anybody here takes one. Throws STATE_IO. */
export async function findHeldLocks(
  { files, paths }: Pick<FilesParts, "files" | "paths">,
): Promise<readonly AgentErrorData[]> {
  const locks = [paths.lock, paths.certificateLock];
  const tries = await Promise.all(
    locks.map((path) =>
      look(() => holdQuietly(files, path, LOCK_WAIT_MS, () => Promise.resolve()))
    ),
  );
  return tries.flatMap((each) => {
    if (!("error" in each)) return [];
    if (each.error.code === "TIMEOUT") return [each.error];
    throw AgentError.fromData(each.error);
  });
}

async function readServerStateFlaw({ files, paths, store }: FilesParts): Promise<string | null> {
  await store.refreshForReading();
  const text = await files.read(paths.serverState);
  return text === undefined
    ? "it is missing"
    : serverStateFlaw(text, store.desired.pools()) ?? null;
}

async function readRoutes({ store }: FilesParts) {
  await store.refreshForReading();
  return [...store.desired.backends()].filter((backend) => !/^pool_\d+$/.test(backend))
    .map((backend) =>
      [backend, store.desired.keysOf(backend).values().take(MAX_KEYS).toArray()] as const
    );
}

async function readCertificates({ files, paths }: FilesParts) {
  const { certificates, problems, missing } = await certificateFiles(files, paths).read();
  return {
    count: certificates.length,
    problems: [...problems, ...missing].map((problem) => problem.toData()),
  };
}

async function readInventory(parts: FilesParts): Promise<readonly CertificateSeen[]> {
  const { files, paths } = parts;
  const known = () => readCertificatesJson(files, paths);
  const all = await inventory({ ...parts, changes: { known } }).all({ askHaproxy: false });
  return all.map(seenOf);
}

function seenOf(entry: InventoryEntry): CertificateSeen {
  const { name, file, known, problem, lines, wanted, record } = entry;
  const { notBefore, notAfter } = known?.certificate ?? {};
  const last = record?.last;
  return {
    name,
    file,
    served: wanted || lines.length > 0,
    managed: isManaged(entry),
    ...(notBefore && { notBefore }),
    ...(notAfter && { notAfter }),
    ...(problem !== undefined && { problem }),
    ...(last && last.code !== "OK" && {
      failure: { at: last.at, message: last.message ?? last.code },
    }),
  };
}
