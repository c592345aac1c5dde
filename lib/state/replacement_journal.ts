/**
 * The journal of a restore: which staged files take which places. Once it is written and fsynced the restore is decided,
 * and whoever holds the lock next puts in place what is still staged.
 */
import * as z from "zod";
import { AgentError } from "../errors.ts";
import type { RootFiles } from "../sandbox/files.ts";

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

export interface ReplacementJournal {
  /** Synchronous: it is asked for with every lock and answers from the inode cache. */
  isWritten(): boolean;
  /** undefined: nothing is under way. Throws STATE_CORRUPT or STATE_IO. */
  read(): Promise<ReplacementEntry | undefined>;
  write(entry: ReplacementEntry): Promise<void>;
  clear(): Promise<void>;
}

export function replacementJournal(files: RootFiles, path: string): ReplacementJournal {
  const isWritten = () => files.signature(path) !== "missing";
  return {
    isWritten,
    async read() {
      const text = isWritten() ? await files.read(path) : undefined;
      if (text === undefined) return undefined;
      const parsed = entryJson.safeParse(json(text));
      if (parsed.success) return parsed.data;
      throw new AgentError("STATE_CORRUPT", `${path} is not the record of a restore.`, {
        hint: "Put back a good copy, or move the file away and restore once more.",
      });
    },
    write: (entry) => files.replace(path, `${JSON.stringify(entry)}\n`, 0o600),
    async clear() {
      await files.remove(path);
      await files.syncFolders([path]);
    },
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
