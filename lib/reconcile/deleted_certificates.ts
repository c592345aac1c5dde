/**
 * Certificates that a new worker read at its start and whose files are gone by now: it reads while the old one still serves,
 * and what is deleted then is deleted from the old one. What else HAProxy has beyond the files is left alone, so this is
 * for a process that has just started: nobody else has given it anything yet.
 */
import { basename } from "node:path";
import type { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import { delCertificate, delFromCrtList } from "../runtime/commands.ts";
import type { Conversation } from "../runtime/connection.ts";
import type { Command } from "../runtime/encode.ts";
import type { CertificateFiles, ListedCertificates } from "../state/certificates.ts";
import { firstFailure, refused } from "./certificate_errors.ts";
import { nameOf, type RunningCertificates } from "./running_certificates.ts";
import type { Subject } from "./subject.ts";

export interface DeletedCertificate {
  /** Where its PEM was. */
  readonly file: string;
  /** What takes it out of HAProxy. */
  readonly removing: readonly Command[];
}

/** @param crtList the crt-list's path on this machine */
export function deletedCertificates(
  { list, entries, named }: Pick<RunningCertificates, "list" | "entries" | "named">,
  { certificates, problems, missing }: ListedCertificates,
  { goneFile }: Pick<CertificateFiles, "goneFile">,
  crtList: string,
): DeletedCertificate[] {
  // Where a list can't be read, or names what is missing, nobody knows what belongs there.
  if (problems.length + missing.length > 0) return [];
  const known = new Set(named.map(({ name }) => name));
  // The first line's is HAProxy's default certificate.
  const others = Map.groupBy(entries.slice(1), ({ path }) => path);
  const spelling = { list, crtList, names: known };
  const [first] = certificates;
  return [...others].flatMap(([path, lines]) => {
    const file = known.has(path) || path === entries[0].path ? undefined : goneFile(path);
    // One of another folder is somebody else's.
    const isOurs = file && nameOf({ ...first, file, path: undefined }, spelling) === path;
    if (!isOurs) return [];
    const removing = lines.map(({ line }) => delFromCrtList(list, path, line));
    return [{ file, removing: [...removing, delCertificate(path)] }];
  });
}

const subjectOfDeleted = ({ file }: DeletedCertificate): Subject => ({
  kind: "certificate",
  name: basename(file),
});

/** Those that are out of HAProxy now; what is refused is a problem. */
export async function takeOutDeleted(
  conversation: Conversation,
  deleted: readonly DeletedCertificate[],
  problems: AgentError[],
): Promise<Subject[]> {
  const out: Subject[] = [];
  for (const each of deleted) {
    const failure = firstFailure(each.removing, await conversation.exchange(each.removing));
    if (failure) {
      problems.push(refused(each.file, failure));
      continue;
    }
    out.push(subjectOfDeleted(each));
    log.warning(`HAProxy had begun to load ${each.file} when it was deleted: it is taken out`);
  }
  return out;
}
