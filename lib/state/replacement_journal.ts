/**
 * The journal of a restore: which staged files take which places. Once it is written and fsynced the restore is decided,
 * and whoever holds the lock next puts in place what is still staged.
 */
import * as z from "zod";
import type { RootFiles } from "../sandbox/files.ts";
import { type EntryJournal, entryJournal } from "./entry_journal.ts";

const entryJson = z.strictObject({
  /** What is under way with a certificate is about files that stay: it goes on. */
  withoutCertificates: z.boolean().optional(),
  files: z.array(z.strictObject({
    file: z.string(),
    /** Where the new content lies, and its SHA-256; null: the file goes. */
    staged: z.strictObject({ path: z.string(), sha256: z.string() }).nullable(),
  })),
});
export type ReplacementEntry = z.output<typeof entryJson>;

/** Whether it is written is asked with every lock. */
export type ReplacementJournal = EntryJournal<ReplacementEntry>;

export const replacementJournal = (files: RootFiles, path: string): ReplacementJournal =>
  entryJournal(files, path, entryJson, {
    what: "the record of a restore",
    hint: "Put back a good copy, or move the file away and restore once more.",
  });
