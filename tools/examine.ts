/**
 * What `doctor` lets the tools room look at, in a room that may read the root, or not even that, and write nothing: no lock
 * is made, nothing is healed. Every look stands alone, and says why where it could not be made.
 */
import type { AcmeSettings, Files, HaproxySettings } from "../lib/config.ts";
import type { AgentErrorData } from "../lib/errors.ts";
import { look, type Looked } from "../lib/looked.ts";
import { certificateDrift } from "../lib/reconcile/certificates.ts";
import { scopeReader } from "../lib/reconcile/running.ts";
import { countKinds, type Counts } from "../lib/reconcile/subject.ts";
import { runtimeClient } from "../lib/runtime/connection.ts";
import { openRoot, type RootFiles } from "../lib/sandbox/files.ts";
import { certificateFiles } from "../lib/state/certificates.ts";
import { holdQuietly } from "../lib/state/lock.ts";
import { openStore, type Store } from "../lib/state/store.ts";
import type { CertificateTurn } from "../lib/transaction/certificates/request.ts";
import { driftReader } from "../lib/transaction/drift.ts";
import { readDomainStates } from "./domain_states.ts";
import { examineFiles, type FilesSeen, findHeldLocks, lasting } from "./examine_files.ts";
import { examineHaproxy, type HaproxySeen } from "./examine_haproxy.ts";

export interface ExamineRequest {
  /** Below the real root, as the room's permissions are. */
  readonly files: Files;
  readonly haproxy: HaproxySettings;
  readonly acme: Pick<AcmeSettings, "client" | "directory">;
}

export interface Examination {
  readonly haproxy: HaproxySeen;
  readonly files: Looked<FilesSeen>;
  readonly domains: Looked<{
    readonly down: readonly string[];
    readonly off: readonly string[];
    readonly astray: readonly string[];
  }>;
  readonly drift: Looked<{
    readonly counts: Counts;
    /** What differs, the first ones by name. */
    readonly first: readonly string[];
    /** What can't be brought in line. */
    readonly problems: readonly AgentErrorData[];
  }>;
}

/** The agent heals what it finds within 2 s. */
const HEALING_MS = 2_500;
const LOCK_WAIT_MS = 5_000;
const LOOK_MS = 15_000;
const MAX_NAMED = 5;

export async function examine(request: ExamineRequest): Promise<Examination> {
  const { files: paths, haproxy: shape, acme } = request;
  const { host, port, mapName } = shape;
  const runtime = runtimeClient({ host, port });
  const root = await look(() => openRoot(paths.root));
  const turn: CertificateTurn = (act) =>
    "value" in root ? holdQuietly(root.value, paths.certificateLock, LOCK_WAIT_MS, act) : act();
  const store = "value" in root ? openStore(root.value, paths, shape) : undefined;

  const heldLocks = "error" in root
    ? root
    : await look(() => findHeldLocks({ files: root.value, paths }));
  const [haproxy, files] = await Promise.all([
    examineHaproxy({
      runtime,
      mapFile: paths.map,
      crtListFile: paths.crtList,
      mapName,
      shape,
      turn,
    }),
    "error" in root
      ? root
      : look(() =>
        examineFiles({ files: root.value, paths, store: store!, runtime, turn, acme, heldLocks })
      ),
  ]);
  // What is behind both is known to be out of reach by now.
  const both = async <T>(
    at: (files: RootFiles, store: Store) => Promise<T>,
  ): Promise<Looked<T>> => {
    if ("error" in haproxy.process) return haproxy.process;
    if ("error" in root) return root;
    return await look(() => at(root.value, store!));
  };
  const signal = AbortSignal.timeout(LOOK_MS);
  return {
    haproxy,
    files,
    domains: await both(async (_, store) => {
      const read = async <T>(use: (desired: Store["desired"]) => T) => {
        await store.refreshForReading();
        return use(store.desired);
      };
      const states = await readDomainStates({ runtime, shape, transactions: { read } }, signal);
      const { domainsDown: down, domainsOff: off, domainsAstray: astray } = states;
      return { down, off, astray };
    }),
    drift: await both(async (files, store) => {
      const source = certificateFiles(files, paths);
      const readDrift = driftReader({
        store,
        runtime,
        turn,
        readScope: scopeReader({ mapFile: paths.map, mapName, shape }),
        certificates: {
          drift: async (talk) => {
            const { crtList } = paths;
            return await certificateDrift(talk, await source.lists(), source, { crtList });
          },
        },
      });
      const { differences, problems } = await lasting(
        async () => {
          await store.refreshForReading();
          return await readDrift(signal);
        },
        ({ differences }) => differences.length > 0,
        HEALING_MS,
      );
      return {
        counts: countKinds(differences),
        first: differences.slice(0, MAX_NAMED).map(({ name }) => name),
        problems: problems.map((problem) => problem.toData()),
      };
    }),
  };
}
