/** What one change of a certificate makes of HAProxy and of the files: worked out from what they hold now. */
import type { Pem } from "../../certificates/pem.ts";
import type { Files } from "../../config.ts";
import { emptyList } from "../../reconcile/certificate_plan.ts";
import { planTarget, type TargetPlan } from "../../reconcile/one_certificate.ts";
import type { Conversation } from "../../runtime/connection.ts";
import type { RootFiles } from "../../sandbox/files.ts";
import { type CertificateRecord, renderCertificatesFile } from "../../state/certificates_file.ts";
import { type CertificateOnDisk, pemMode, readOnDisk } from "./disk.ts";
import {
  type CrtListEdit,
  domainOfFile,
  forgetCertificate,
  type JsonEdit,
  listCertificate,
  recordCertificate,
  unlistCertificate,
} from "./lists.ts";
import type { FileChange } from "../file_changes.ts";

/** How the lists name it. */
export interface Listing {
  readonly names: readonly string[];
  /** A line of the crt-list that has not all of the names gets another one beside it. */
  readonly complete: boolean;
  /** What is kept of it; undefined: what is known stays. */
  readonly record?: CertificateRecord;
}

export interface CertificateWish {
  /** The PEM's path on this machine. */
  readonly file: string;
  /** As HAProxy spells it, where that is known. */
  readonly path?: string;
  /** undefined: nothing of it is to be left. */
  readonly wanted?: Listing & {
    readonly pem: Pem;
    /** What the file gets, for people. */
    readonly described: string;
  };
  /** Sent although HAProxy serves it already. */
  readonly always: boolean;
}

export interface CertificateWork {
  readonly plan: TargetPlan;
  /** The PEM first, but where it goes: then the lists. Never the content of a PEM among the lines for people. */
  readonly changes: readonly FileChange[];
  readonly before: CertificateOnDisk;
}

/** Throws what `readOnDisk` and `planTarget` throw. */
export async function workOut(
  talk: Conversation,
  { file, path: known, wanted, always }: CertificateWish,
  { files, paths }: { readonly files: RootFiles; readonly paths: Files },
): Promise<CertificateWork> {
  const before = await readOnDisk(files, paths, file);
  const { list, mine, folders, json } = before;
  const { crtList } = paths;
  const domain = domainOfFile(file);
  const from = { file, folders };
  // A first line would be HAProxy's default certificate at its next start.
  if (list.lines.length === 0) {
    await planTarget(talk, from, { crtList });
    throw emptyList(crtList);
  }
  // Where no line names it yet, HAProxy tells how it spells the folder.
  const path = mine[0]?.path ?? known ?? (await planTarget(talk, from, { crtList })).name;

  if (wanted === undefined) {
    const plan = await planTarget(talk, { ...from, path }, { crtList });
    return {
      plan,
      before,
      changes: [
        ...listChange(unlistCertificate(list, { path, mine })),
        ...domain === undefined ? [] : jsonChange(forgetCertificate(json, domain)),
        ...before.pem === undefined ? [] : [{ file, text: null, lines: ["- the whole file"] }],
      ],
    };
  }
  const { names, complete, record, pem, described } = wanted;
  const earlier = domain === undefined ? undefined : json.records.get(domain)?.names;
  const edit = listCertificate(list, { path, mine }, {
    names,
    complete,
    ...(earlier && { before: earlier }),
  });
  const target = { ...from, path, wanted: { pem, lines: edit.lines } };
  const mode = await pemMode(files, paths);
  const samePem = before.pem === pem.text;
  return {
    plan: await planTarget(talk, target, { crtList, always: always || !samePem }),
    before,
    changes: [
      ...samePem && await files.mode(file) === mode
        ? []
        : [{ file, text: pem.text, mode: { always: mode }, lines: [`+ ${described}`] }],
      ...listChange(edit),
      ...domain === undefined ? [] : jsonChange(recordCertificate(json, domain, record)),
    ],
  };

  function listChange({ text, changes }: CrtListEdit): FileChange[] {
    return text === list.text ? [] : [{ file: crtList, text, lines: changes }];
  }

  function jsonChange({ file: edited, changes }: JsonEdit): FileChange[] {
    const text = renderCertificatesFile(edited);
    if (text === renderCertificatesFile(json)) return [];
    return [{ file: paths.certificates, text, lines: changes }];
  }
}
