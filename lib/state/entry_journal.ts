/** A journal of one entry: what is under way, as a whole, or nothing. */
import type * as z from "zod";
import { AgentError } from "../errors.ts";
import type { RootFiles } from "../sandbox/files.ts";

export interface EntryJournal<Entry> {
  /** Synchronous: it answers from the inode cache. */
  isWritten(): boolean;
  /** undefined: nothing is under way. Throws STATE_CORRUPT or STATE_IO. */
  read(): Promise<Entry | undefined>;
  /** Durable once it resolves. */
  write(entry: Entry): Promise<void>;
  clear(): Promise<void>;
}

/** What is said of a file that holds something else. */
export interface EntryName {
  /** `the record of a restore`. */
  readonly what: string;
  readonly hint: string;
}

export function entryJournal<Schema extends z.ZodType>(
  files: RootFiles,
  path: string,
  schema: Schema,
  { what, hint }: EntryName,
): EntryJournal<z.output<Schema>> {
  const isWritten = () => files.signature(path) !== "missing";
  return {
    isWritten,
    async read() {
      const text = isWritten() ? await files.read(path) : undefined;
      if (text === undefined) return undefined;
      const parsed = schema.safeParse(json(text));
      if (parsed.success) return parsed.data;
      throw new AgentError("STATE_CORRUPT", `${path} is not ${what}.`, { hint });
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
