/** Finishes the change of a certificate that was cut off, and undoes one that HAProxy refused half-way. */
import { sha256 } from "../../bytes.ts";
import { MAX_PEM, readPem } from "../../certificates/pem.ts";
import type { Files } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import { carryOutTarget, planTarget } from "../../reconcile/one_certificate.ts";
import type { RuntimeClient } from "../../runtime/connection.ts";
import type { RootFiles } from "../../sandbox/files.ts";
import type { CertificateEntry, CertificateJournal } from "../../state/certificate_journal.ts";
import { recordFromJson } from "../../state/certificates_file.ts";
import { readOnDisk, targetOnDisk } from "./disk.ts";
import type { CertificateTurn } from "./request.ts";
import { type CertificateWish, workOut } from "./work.ts";
import { putInPlace, stageAll } from "../file_changes.ts";
import { twice } from "../late_commands.ts";

export interface CertificateFinisherParts {
  readonly files: RootFiles;
  readonly paths: Files;
  readonly runtime: RuntimeClient;
  readonly journal: CertificateJournal;
  readonly turn: CertificateTurn;
}

export interface CertificateFinisher {
  /** What was cut off. Under the lock. Throws HAPROXY_UNREACHABLE, CONFLICT or STATE_IO with it still there. */
  finish(): Promise<void>;
  /**
   * Brings HAProxy back to what the files say, drops the staged PEM and forgets the entry. In its caller's turn.
   *
   * @param late HAProxy had fallen silent: commands may still come behind
   */
  undo(entry: CertificateEntry, late: boolean): Promise<void>;
}

/** What HAProxy says of a certificate itself: waiting does not help. */
const REFUSALS = new Set(["CERTIFICATE", "REFUSED", "HAPROXY_REJECTED"]);

export function certificateFinisher(parts: CertificateFinisherParts): CertificateFinisher {
  const { files, paths, runtime, journal, turn } = parts;

  async function undo({ file, path, pem }: CertificateEntry, late: boolean): Promise<void> {
    if (pem) await files.remove(pem.staged);
    const asOnDisk = () =>
      runtime.converse(async (talk) => {
        const target = targetOnDisk(file, await readOnDisk(files, paths, file));
        const plan = await planTarget(talk, { path, ...target }, { ...paths, always: true });
        await carryOutTarget(talk, plan);
      });
    await (late ? twice(asOnDisk) : asOnDisk()).catch((cause) => {
      const { code, message } = AgentError.from(cause);
      if (!REFUSALS.has(code)) throw cause;
      log.warning(`HAProxy may hold a part of a failed change: ${message}`);
    });
    await journal.clear();
  }

  /** What the entry was about, where its PEM is still to be had. */
  async function wishOf(
    { file, path, listed, pem }: CertificateEntry,
  ): Promise<CertificateWish | undefined> {
    if (listed === null) return { file, path, always: true };
    const staged = pem ? await files.read(pem.staged, MAX_PEM) : undefined;
    const text = staged ?? await files.read(file, MAX_PEM);
    if (text === undefined || (pem && sha256(text) !== pem.sha256)) return undefined;
    const { names, complete, record } = listed;
    const wanted = {
      names,
      complete,
      pem: readPem(text, file),
      described: "key and certificate",
      ...(record && { record: recordFromJson(record) }),
    };
    return { file, path, wanted, always: true };
  }

  async function carryOut(entry: CertificateEntry): Promise<void> {
    const { tool, file, pem } = entry;
    const wish = await wishOf(entry);
    const takenBack = async (why: string) => {
      await undo(entry, false);
      log.info(`${tool} of ${file} was cut off: taken back, as ${why}`);
    };
    if (wish === undefined) return await takenBack("its new PEM is gone");
    const work = await runtime.converse(async (talk) => {
      const { plan, changes } = await workOut(talk, wish, parts);
      const refusal = await carryOutTarget(talk, plan).then(() => undefined, AgentError.from);
      if (refusal && !REFUSALS.has(refusal.code)) throw refusal;
      return { changes, refusal };
    });
    // With the new PEM in its place there is no way back.
    const isStaged = pem !== null && files.signature(pem.staged) !== "missing";
    const { refusal } = work;
    if (refusal && (isStaged || wish.wanted === undefined)) return await takenBack(refusal.message);
    if (refusal) log.warning(`HAProxy may lack a part of what was cut off: ${refusal.message}`);
    await putInPlace(files, work.changes, await stageAll(files, work.changes));
    if (pem) await files.remove(pem.staged);
    await journal.clear();
    log.info(`${tool} of ${file} was cut off: carried out`);
  }

  return {
    async finish() {
      const entry = await journal.read();
      if (entry === undefined) return;
      if (entry.todo === "carry out") return await turn(() => carryOut(entry));
      await turn(() => undo(entry, true));
      log.info(`${entry.tool} of ${entry.file} had failed half-way: HAProxy is rid of it`);
    },
    undo,
  };
}
