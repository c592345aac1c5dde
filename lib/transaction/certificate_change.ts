/**
 * The one path of every change of a certificate: stage the files, journal, HAProxy, read back, put the files in place. The
 * file lock is held from the first look to the last rename, so it is one at a time. Whatever is cut off is finished, or
 * undone where HAProxy had refused it, by whoever holds the lock next.
 */
import type { Pem } from "../certificates/pem.ts";
import type { Files } from "../config.ts";
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import { NOT_READ } from "../reconcile/certificate_plan.ts";
import {
  carryOutTarget,
  commandsOf,
  planTarget,
  type TargetPlan,
} from "../reconcile/one_certificate.ts";
import type { Conversation, RuntimeClient } from "../runtime/connection.ts";
import type { RootFiles } from "../sandbox/files.ts";
import { certificateJournal } from "../state/certificate_journal.ts";
import {
  type CertificateRecord,
  type CertificatesFile,
  renderCertificatesFile,
  withRecord,
} from "../state/certificates_file.ts";
import type { Lock } from "../state/lock.ts";
import { certificateDisk, type CertificateOnDisk, pemFile, pemMode } from "./certificate_disk.ts";
import {
  type CrtListEdit,
  forgetCertificate,
  type JsonEdit,
  listCertificate,
  recordCertificate,
  unlistCertificate,
} from "./certificate_files.ts";
import type {
  CertificateRequest,
  PutOutcome,
  PutRequest,
  RemoveOutcome,
} from "./certificate_request.ts";
import { certificateFinisher } from "./certificate_unfinished.ts";
import { type FileChange, previewOf, stageAll } from "./file_changes.ts";
import type { Preview } from "./request.ts";
import { waitingWith } from "./waiting.ts";

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
  /** Lets the crt-list name the certificates that only certificates.json names and HAProxy serves. Under the lock. */
  adoptHeld(pemFiles: readonly string[]): Promise<void>;
  /** Staged files that are still needed. */
  staged(): Promise<readonly string[]>;
}

export interface CertificateChangesParts {
  readonly files: RootFiles;
  readonly paths: Files;
  readonly runtime: RuntimeClient;
  readonly lock: Lock;
}

/** A certificate as far as HAProxy and the lists are concerned. */
interface Wish extends Omit<PutRequest, "pem" | keyof CertificateRequest> {
  readonly domain: string;
  readonly names: readonly string[];
  readonly pem: Pem;
}

export function certificateChanges(parts: CertificateChangesParts): CertificateChanges {
  const { files, paths, runtime, lock } = parts;
  const journal = certificateJournal(files, paths.certificateJournal);
  const disk = certificateDisk(files, paths);
  const unfinished = certificateFinisher({ files, paths, runtime, journal });

  /** Under the lock, with nothing left half-way, on one connection. */
  function change<T>(
    { signal }: Pick<CertificateRequest, "signal">,
    act: (talk: Conversation) => Promise<T>,
  ): Promise<T> {
    return waitingWith(signal, lock.hold, async () => {
      await unfinished.finish();
      return await runtime.converse(act);
    });
  }

  async function carryOut(
    talk: Conversation,
    tool: string,
    plan: TargetPlan,
    changes: readonly FileChange[],
  ): Promise<void> {
    const staged = await stageAll(files, changes);
    const entry = {
      tool,
      todo: "carry out" as const,
      file: plan.target.file,
      path: plan.name,
      steps: changes.map(({ file }, i) => ({ file, staged: staged[i]?.path ?? null })),
    };
    await journal.write(entry).catch(async (cause) => {
      await Promise.all(staged.map((file) => file?.discard()));
      throw cause;
    });
    try {
      await carryOutTarget(talk, plan);
    } catch (cause) {
      // Before the undoing: who finds it after a crash must not carry it out.
      await journal.write({ ...entry, todo: "undo" });
      await unfinished.undo(entry).catch((failure) =>
        log.warning(`${entry.file} can't be undone yet: ${AgentError.from(failure).message}`)
      );
      throw cause;
    }
    // The journal holds everything: until the disk works again, the next change is refused, and tried each second.
    await unfinished.putInPlace(entry).catch((cause) =>
      log.error(`The files could not be brought up to date: ${AgentError.from(cause).message}`)
    );
  }

  return {
    put: (request) =>
      change(request, async (talk) => {
        const file = pemFile(paths, request.domain);
        const before = await disk.read(file);
        const { pem: { text, certificate, chain } } = request;
        const pem = { text, fingerprint: certificate.sha1, chain: chain.length };
        const wish = { ...request, pem, names: certificate.names };
        const { plan, list, json } = await planPut(talk, wish, file, before);
        const changes = [
          ...await pemChange(file, request, before),
          ...listChange(before, list),
          ...jsonChange(before, json),
        ];
        const commands = commandsOf(plan);
        const preview = previewOf(changes, commands);
        const changed = changes.length > 0 || commands.length > 0;
        const outcome = { replaced: !plan.absent, changed };
        if (request.dryRun) return { ...outcome, preview };
        if (changed) await carryOut(talk, request.tool, plan, changes);
        return outcome;
      }),
    async rehearse(domain, names) {
      const file = pemFile(paths, domain);
      const before = await disk.read(file);
      const pem = { text: NOT_READ, fingerprint: "", chain: 0 };
      const wish = { domain, names, pem, complete: true };
      const { plan, list, json } = await runtime.converse((talk) =>
        planPut(talk, wish, file, before)
      );
      const described = `+ a new key and certificate for ${names.join(", ")}`;
      const changes = [
        { file, text: "", lines: [described] },
        ...listChange(before, list),
        ...jsonChange(before, json),
      ];
      return previewOf(changes, commandsOf(plan));
    },
    remove: (request) =>
      change(request, async (talk) => {
        const { domain } = request;
        const file = pemFile(paths, domain);
        const before = await disk.read(file);
        const { list, mine } = before;
        if (mine.some(({ line }) => line === list.lines[0].line)) throw isDefault(domain, paths);
        const path = mine[0]?.path;
        const plan = await planTarget(talk, { file, ...(path && { path }) }, paths);
        const changes: FileChange[] = [
          ...listChange(before, unlistCertificate(list, { path: plan.name, mine })),
          ...before.pem === undefined ? [] : [{ file, text: null, lines: ["- the whole file"] }],
          ...jsonChange(before, forgetCertificate(before.json, domain)),
        ];
        const commands = commandsOf(plan);
        if (changes.length + commands.length === 0) throw notFound(domain);
        const deletedFrom = [
          ...commands.length > 0 ? ["HAProxy"] : [],
          ...changes.map(({ file }) => file),
        ];
        if (request.dryRun) return { deletedFrom, preview: previewOf(changes, commands) };
        await carryOut(talk, request.tool, plan, changes);
        return { deletedFrom };
      }),
    note: (domain, act) =>
      lock.hold(async () => {
        await unfinished.finish();
        const { json } = await disk.read(pemFile(paths, domain));
        const record = act(json.records.get(domain));
        if (record === undefined) return;
        const text = renderCertificatesFile(withRecord(json, domain, record, false));
        await files.replace(paths.certificates, text);
      }),
    async known() {
      return (await disk.read(paths.crtList)).json;
    },
    async finish() {
      if (await journal.read() !== undefined) await lock.hold(unfinished.finish);
    },
    finishHeld: unfinished.finish,
    async adoptHeld(pemFiles) {
      for (const file of pemFiles) {
        const before = await disk.read(file);
        const target = await disk.target(file);
        if (before.mine.length > 0 || target.wanted === undefined) continue;
        const plan = await runtime.converse((talk) => planTarget(talk, target, paths));
        // One that HAProxy does not take would keep it from starting.
        if (commandsOf(plan).length > 0) continue;
        const options = { names: [], complete: false };
        const { text } = listCertificate(before.list, { path: plan.name, mine: [] }, options);
        await files.replace(paths.crtList, text);
      }
    },
    async staged() {
      const entry = await journal.read().catch(() => undefined);
      return entry?.steps.flatMap(({ staged }) => staged ?? []) ?? [];
    },
  };

  async function planPut(
    talk: Conversation,
    { domain, names, pem, record, complete, always }: Wish,
    file: string,
    before: CertificateOnDisk,
  ) {
    const { list, mine, json } = before;
    const known = json.records.get(domain);
    // Where no line names it yet, HAProxy tells how it spells the folder.
    const path = mine[0]?.path ?? (await planTarget(talk, { file }, paths)).name;
    const edit = listCertificate(list, { path, mine }, {
      names,
      complete,
      ...(known && { before: known.names }),
    });
    const target = { file, path, wanted: { pem, lines: edit.lines } };
    const options = { ...paths, always: always || before.pem !== pem.text };
    return {
      plan: await planTarget(talk, target, options),
      list: edit,
      json: recordCertificate(json, domain, record),
    };
  }

  async function pemChange(
    file: string,
    { pem }: PutRequest,
    before: CertificateOnDisk,
  ): Promise<FileChange[]> {
    const mode = await pemMode(files, paths);
    if (before.pem === pem.text && await files.mode(file) === mode) return [];
    const { names, notAfter, sha256 } = pem.certificate;
    const described = `${names.join(", ")}, until ${notAfter}, SHA-256 ${sha256}`;
    return [{
      file,
      text: pem.text,
      mode: { always: mode },
      lines: [`+ key and certificate: ${described}`],
    }];
  }

  function listChange(before: CertificateOnDisk, { text, changes }: CrtListEdit): FileChange[] {
    if (text === before.list.text) return [];
    return [{ file: paths.crtList, text, lines: changes }];
  }

  function jsonChange(before: CertificateOnDisk, { file, changes }: JsonEdit): FileChange[] {
    const text = renderCertificatesFile(file);
    if (text === renderCertificatesFile(before.json)) return [];
    return [{ file: paths.certificates, text, lines: changes }];
  }
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
