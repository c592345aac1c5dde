/**
 * The one path of every change of a certificate: stage the files, journal, HAProxy, read back, put the files in place. The
 * file lock is held from the first look to the last rename, so it is one at a time. Whatever is cut off is finished, or
 * undone where HAProxy had refused it, by whoever holds the lock next.
 */
import { sha256 } from "../../bytes.ts";
import type { Files } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import { NOT_READ } from "../../reconcile/certificate_plan.ts";
import { carryOutTarget, commandsOf } from "../../reconcile/one_certificate.ts";
import type { Conversation, RuntimeClient } from "../../runtime/connection.ts";
import type { RootFiles } from "../../sandbox/files.ts";
import { type CertificateEntry, certificateJournal } from "../../state/certificate_journal.ts";
import {
  type CertificateRecord,
  type CertificatesFile,
  recordToJson,
  renderCertificatesFile,
  withRecord,
} from "../../state/certificates_file.ts";
import type { Lock } from "../../state/lock.ts";
import { pemFile, readCertificatesJson } from "./disk.ts";
import type {
  CertificateRequest,
  CertificateTurn,
  PutOutcome,
  PutRequest,
  RemoveOutcome,
} from "./request.ts";
import { certificateFinisher } from "./unfinished.ts";
import { type CertificateWish, type CertificateWork, workOut } from "./work.ts";
import { discardAll, previewOf, putInPlace, stageAll } from "../file_changes.ts";
import { fellSilent } from "../late_commands.ts";
import type { Preview } from "../request.ts";
import { waitingWith } from "../waiting.ts";

export interface CertificateChanges {
  /**
   * Puts a checked certificate on disk and into HAProxy, in the place of what was there. Throws CERTIFICATE, CONFLICT,
   * HAPROXY_REJECTED or HAPROXY_UNREACHABLE with disk unchanged and what HAProxy served before still served.
   */
  put(request: PutRequest): Promise<PutOutcome>;
  /** What a certificate that is still to be ordered would change. Throws what `put` would, as far as it can be known. */
  rehearse(domain: string, names: readonly string[]): Promise<Preview>;
  /** Takes it out of HAProxy and off the disk. Throws REFUSED for HAProxy's default certificate, NOT_FOUND. */
  remove(request: CertificateRequest): Promise<RemoveOutcome>;
  /** Changes what certificates.json knows of a domain; HAProxy is not asked. undefined leaves it as it is. */
  note(
    domain: string,
    change: (record: CertificateRecord | undefined) => CertificateRecord | undefined,
  ): Promise<void>;
  /** What certificates.json says. */
  known(): Promise<CertificatesFile>;
  /** Finishes what was cut off, if there is any. Takes the lock only then. */
  finish(): Promise<void>;
  /** The same under a lock that is held already. */
  finishHeld(): Promise<void>;
  /** Staged files that are still needed. Throws STATE_CORRUPT where the journal can't tell. */
  staged(): Promise<readonly string[]>;
}

export interface CertificateChangesParts {
  readonly files: RootFiles;
  readonly paths: Files;
  readonly runtime: RuntimeClient;
  readonly lock: Lock;
  readonly turn: CertificateTurn;
  /** Throws CONFLICT where two HAProxys share the port. */
  readonly assertAlone: () => Promise<void>;
}

export function certificateChanges(parts: CertificateChangesParts): CertificateChanges {
  const { files, paths, runtime, lock, turn } = parts;
  const journal = certificateJournal(files, paths.certificateJournal);
  const unfinished = certificateFinisher({ files, paths, runtime, journal, turn });

  /** Under the lock, with nothing left half-way, on one connection. */
  function change<T>(
    { signal }: Pick<CertificateRequest, "signal">,
    act: (talk: Conversation) => Promise<T>,
  ): Promise<T> {
    return waitingWith(signal, lock.hold, async () => {
      await unfinished.finish();
      await parts.assertAlone();
      return await turn(() => runtime.converse(act));
    });
  }

  async function carryOut(
    talk: Conversation,
    tool: string,
    { file, wanted }: CertificateWish,
    { plan, changes }: CertificateWork,
  ): Promise<void> {
    const staged = await stageAll(files, changes);
    const pem = staged[changes.findIndex((each) => each.file === file && each.text !== null)];
    const entry: CertificateEntry = {
      tool,
      todo: "carry out",
      file,
      path: plan.name,
      listed: wanted === undefined ? null : {
        names: [...wanted.names],
        complete: wanted.complete,
        record: wanted.record ? recordToJson(wanted.record) : null,
      },
      pem: pem ? { staged: pem.path, sha256: sha256(wanted!.pem.text) } : null,
    };
    try {
      await journal.write(entry);
    } catch (cause) {
      // It may lie there all the same: without its files it must not be found.
      await journal.clear().catch(() => {});
      await discardAll(staged);
      throw cause;
    }
    try {
      await carryOutTarget(talk, plan);
    } catch (cause) {
      await takeBack(entry, cause);
      await discardAll(staged);
      throw cause;
    }
    // HAProxy has it, and the journal: until the disk works again the next change is refused, and this tried each second.
    await putInPlace(files, changes, staged).then(journal.clear).catch((cause) =>
      log.error(`The files could not be brought up to date: ${AgentError.from(cause).message}`)
    );
  }

  /** Marked before the undoing: who finds it after a crash must not carry it out. */
  async function takeBack(entry: CertificateEntry, cause: unknown): Promise<void> {
    try {
      await journal.write({ ...entry, todo: "undo" });
    } catch (failure) {
      const { message } = AgentError.from(cause);
      throw new AgentError(
        "OUTCOME_UNKNOWN",
        `HAProxy did not take the change (${message}), and the journal can't be marked so.`,
        {
          hint: "Look at the disk's free space, then at the certificate: the change may come back.",
          cause: failure,
        },
      );
    }
    await unfinished.undo(entry, fellSilent(cause)).catch((failure) =>
      log.warning(`${entry.file} can't be undone yet: ${AgentError.from(failure).message}`)
    );
  }

  const found = ({ plan, changes }: CertificateWork) => {
    const commands = commandsOf(plan);
    return { commands, preview: previewOf(changes, commands) };
  };

  return {
    put: (request) =>
      change(request, async (talk) => {
        const { domain, pem, record, complete, always = false } = request;
        const { text, certificate, chain } = pem;
        const { names, notAfter } = certificate;
        const wanted = {
          names,
          complete,
          pem: {
            text,
            fingerprint: certificate.sha1,
            serial: certificate.serial,
            chain: chain.length,
          },
          described: `key and certificate: ${
            names.join(", ")
          }, until ${notAfter}, SHA-256 ${certificate.sha256}`,
          ...(record && { record }),
        };
        const wish = { file: pemFile(paths, domain), wanted, always };
        const work = await workOut(talk, wish, parts);
        const { commands, preview } = found(work);
        const changed = work.changes.length > 0 || commands.length > 0;
        const outcome = { replaced: !work.plan.absent, changed };
        if (request.dryRun) return { ...outcome, preview };
        if (changed) await carryOut(talk, request.tool, wish, work);
        return outcome;
      }),
    async rehearse(domain, names) {
      const wanted = {
        names,
        complete: true,
        pem: { text: NOT_READ, fingerprint: "", serial: "", chain: 0 },
        described: `a new key and certificate for ${names.join(", ")}`,
      };
      const wish = { file: pemFile(paths, domain), wanted, always: true };
      const work = await turn(() => runtime.converse((talk) => workOut(talk, wish, parts)));
      return found(work).preview;
    },
    remove: (request) =>
      change(request, async (talk) => {
        const { domain } = request;
        const wish = { file: pemFile(paths, domain), always: false };
        const work = await workOut(talk, wish, parts);
        const { list, mine } = work.before;
        if (mine.some(({ line }) => line === list.lines[0].line)) throw isDefault(domain, paths);
        const { commands, preview } = found(work);
        if (work.changes.length + commands.length === 0) throw notFound(domain);
        const deletedFrom = [
          ...commands.length > 0 ? ["HAProxy"] : [],
          ...work.changes.map(({ file }) => file),
        ];
        if (request.dryRun) return { deletedFrom, preview };
        await carryOut(talk, request.tool, wish, work);
        return { deletedFrom };
      }),
    note: (domain, act) =>
      lock.hold(async () => {
        await unfinished.finish();
        const json = await readCertificatesJson(files, paths);
        const record = act(json.records.get(domain));
        if (record === undefined) return;
        const text = renderCertificatesFile(withRecord(json, domain, record, false));
        await files.replace(paths.certificates, text);
      }),
    known: () => readCertificatesJson(files, paths),
    async finish() {
      if (await journal.read() !== undefined) await lock.hold(unfinished.finish);
    },
    finishHeld: unfinished.finish,
    async staged() {
      const entry = await journal.read();
      return entry?.pem ? [entry.pem.staged] : [];
    },
  };
}

function isDefault(domain: string, { crtList }: Pick<Files, "crtList">): AgentError {
  return new AgentError(
    "REFUSED",
    `${domain}'s certificate is HAProxy's default: it stands first in ${crtList}.`,
    {
      hint: "Let another certificate be the first line, and reload HAProxy. Then delete this one.",
    },
  );
}

function notFound(domain: string): AgentError {
  return new AgentError("NOT_FOUND", `There is no certificate of ${domain}.`, {
    hint: "haproxy_list_certs shows which there are.",
  });
}
