/**
 * The certificate journal: the one change of a certificate that is under way. It is written and fsynced before HAProxy hears
 * of it. The new PEM lies staged beside the old one; the lists are edited again from what they hold by then, should somebody
 * else have to finish. It never holds a key.
 */
import * as z from "zod";
import type { RootFiles } from "../sandbox/files.ts";
import { recordJson } from "./certificates_file.ts";
import { type EntryJournal, entryJournal } from "./entry_journal.ts";

const entryJson = z.strictObject({
  tool: z.string(),
  /** `carry out`: HAProxy may have it already, and then the files follow. `undo`: HAProxy refused it and may hold a part. */
  todo: z.enum(["carry out", "undo"]),
  /** The PEM's path on this machine. */
  file: z.string(),
  /** As HAProxy spells it. */
  path: z.string(),
  /** What becomes of the lists; null: nothing names it any more. */
  listed: z.strictObject({
    names: z.array(z.string()),
    complete: z.boolean(),
    record: recordJson.nullable(),
  }).nullable(),
  /** The new PEM, where it is another one: where it lies staged, and its SHA-256. */
  pem: z.strictObject({ staged: z.string(), sha256: z.string() }).nullable(),
});
export type CertificateEntry = z.output<typeof entryJson>;

export type CertificateJournal = EntryJournal<CertificateEntry>;

export const certificateJournal = (files: RootFiles, path: string): CertificateJournal =>
  entryJournal(files, path, entryJson, {
    what: "the record of a certificate's change",
    hint:
      "Put back a good copy, or move the file away: then haproxy_list_certs shows what HAProxy lacks.",
  });
