/** Finishes the change of a certificate that was cut off, and undoes one that HAProxy refused half-way. */
import type { Files } from "../config.ts";
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import { carryOutTarget, planTarget } from "../reconcile/one_certificate.ts";
import type { RuntimeClient } from "../runtime/connection.ts";
import type { RootFiles } from "../sandbox/files.ts";
import type { CertificateEntry, CertificateJournal } from "../state/certificate_journal.ts";
import { certificateDisk } from "./certificate_disk.ts";

export interface CertificateFinisherParts {
  readonly files: RootFiles;
  readonly paths: Files;
  readonly runtime: RuntimeClient;
  readonly journal: CertificateJournal;
}

export interface CertificateFinisher {
  /** What is under way or was cut off. Under the lock. Throws HAPROXY_UNREACHABLE or STATE_IO with it still there. */
  finish(): Promise<void>;
  /** Puts the entry's files in their places and forgets the entry. */
  putInPlace(entry: CertificateEntry): Promise<void>;
  /** Brings HAProxy back to what the files say, drops the staged ones and forgets the entry. */
  undo(entry: CertificateEntry): Promise<void>;
}

/** What HAProxy says of a certificate itself: waiting does not help. */
const REFUSALS = new Set(["CERTIFICATE", "REFUSED", "HAPROXY_REJECTED"]);

export function certificateFinisher(
  { files, paths, runtime, journal }: CertificateFinisherParts,
): CertificateFinisher {
  const bring = (file: string, path: string, instead?: ReadonlyMap<string, string | null>) =>
    runtime.converse(async (talk) => {
      const target = { path, ...await certificateDisk(files, paths, instead).target(file) };
      await carryOutTarget(talk, await planTarget(talk, target, { ...paths, always: true }));
    });

  async function putInPlace({ steps }: CertificateEntry): Promise<void> {
    const touched = steps.map(({ file }) => file);
    for (const { file, staged } of steps) {
      if (staged !== null && files.signature(staged) !== "missing") await files.move(staged, file);
    }
    await files.syncFolders(touched);
    // Not while a crt-list on disk still names it.
    for (const { file, staged } of steps) if (staged === null) await files.remove(file);
    await files.syncFolders(touched);
    await journal.clear();
  }

  async function undo({ file, path, steps }: CertificateEntry): Promise<void> {
    for (const { staged } of steps) if (staged !== null) await files.remove(staged);
    await bring(file, path).catch((cause) => {
      const { code, message } = AgentError.from(cause);
      if (!REFUSALS.has(code)) throw cause;
      log.warning(`HAProxy may hold a part of a failed change: ${message}`);
    });
    await journal.clear();
  }

  /** True where none of the new files is in its place yet. */
  const untouched = ({ steps }: CertificateEntry) =>
    steps.every(({ file, staged }) => files.signature(staged ?? file) !== "missing");

  async function carryOut(entry: CertificateEntry): Promise<void> {
    const { tool, file, path, steps } = entry;
    const instead = new Map(steps.map((step) => [step.file, step.staged]));
    const refusal = await bring(file, path, instead).then(() => undefined, AgentError.from);
    if (refusal && !REFUSALS.has(refusal.code)) throw refusal;
    if (refusal && untouched(entry)) {
      await undo(entry);
      return log.info(`${tool} of ${file} was cut off: taken back, as ${refusal.message}`);
    }
    await putInPlace(entry);
    log.info(`${tool} of ${file} was cut off: carried out`);
  }

  return {
    async finish() {
      const entry = await journal.read();
      if (entry === undefined) return;
      if (entry.todo === "carry out") return await carryOut(entry);
      await undo(entry);
      log.info(`${entry.tool} of ${entry.file} had failed half-way: HAProxy is rid of it`);
    },
    putInPlace,
    undo,
  };
}
