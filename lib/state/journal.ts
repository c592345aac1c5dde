/**
 * The journal: every change is written here and fsynced before HAProxy hears of it. An entry without a mark belongs to a
 * change that was cut off, and is carried out by whoever holds the lock next; the checkpoint empties the file.
 */
import { writeAllSync } from "../bytes.ts";
import { AgentError } from "../errors.ts";
import { ioError, isNamed, type RootFiles, type Signature } from "../sandbox/files.ts";
import type { Change } from "./model.ts";

export interface JournalEntry {
  readonly seq: number;
  readonly tool: string;
  readonly changes: readonly Change[];
}

/**
 * What became of an entry: HAProxy has it; it was taken back; it was taken back on disk, but HAProxy fell silent and may
 * hold a part of it.
 */
export type Mark = typeof MARKS[number];
const MARKS = ["done", "undone", "doubtful"] as const;

/** `seqs` are entries' numbers; of several marks the last one counts. */
export type JournalRecord =
  | (JournalEntry & { readonly t: "change" })
  | { readonly t: Mark; readonly seqs: readonly number[] };

export interface JournalContent {
  /** What is so, in its order: the done ones. */
  readonly done: readonly JournalEntry[];
  /** Those without a mark, behind all others: whoever made them was cut off, or is at it right now. */
  readonly open: readonly JournalEntry[];
  readonly doubtful: readonly JournalEntry[];
  readonly lastSeq: number;
  /** What stands before a torn end, in bytes: that end was never fsynced, so nobody acted on it. */
  readonly length: number;
}

/** Throws STATE_CORRUPT where a broken line is followed by a whole one: no crash does that. */
export function parseJournal(text: string, path: string): JournalContent {
  const records: JournalRecord[] = [];
  let length = 0;
  let torn: number | undefined;
  text.split("\n").slice(0, -1).forEach((line, i) => {
    const record = parseRecord(line);
    if (!record) {
      torn ??= i + 1;
    } else if (torn !== undefined) {
      throw new AgentError("STATE_CORRUPT", `${path}, line ${torn} is not a journal record.`, {
        hint:
          "Put back a good copy, or move the file away: changes since the last checkpoint are lost then.",
      });
    } else {
      records.push(record);
      length += new TextEncoder().encode(line).length + 1;
    }
  });

  const marks = new Map<number, Mark>();
  for (const record of records) {
    if (record.t !== "change") { for (const seq of record.seqs) marks.set(seq, record.t); }
  }
  const entries = records.flatMap((record) => record.t === "change" ? [record] : []);
  const bearing = (mark?: Mark) => entries.filter(({ seq }) => marks.get(seq) === mark);
  return {
    done: bearing("done"),
    open: bearing(),
    doubtful: bearing("doubtful"),
    lastSeq: Math.max(0, ...entries.map(({ seq }) => seq), ...marks.keys()),
    length,
  };
}

function parseRecord(line: string): JournalRecord | undefined {
  try {
    const record = JSON.parse(line) as JournalRecord;
    const whole = record.t === "change"
      ? Number.isInteger(record.seq) && Array.isArray(record.changes)
      : MARKS.includes(record.t) && Array.isArray(record.seqs);
    return whole ? record : undefined;
  } catch {
    return undefined;
  }
}

export interface Journal {
  readonly signature: () => Signature;
  read(): Promise<JournalContent>;
  /** Appends whole records, fsynced if `sync`. After a failure the file is as it was. Throws STATE_IO. */
  append(records: readonly JournalRecord[], sync: boolean): Promise<void>;
  /** Cuts off a torn end. */
  trim(length: number): Promise<void>;
  /** Everything in it stands in the files. */
  clear(): Promise<void>;
  close(): void;
}

export function openJournal(files: RootFiles, path: string): Journal {
  let file: Deno.FsFile | undefined;

  async function opened(): Promise<Deno.FsFile> {
    if (file) {
      if (isNamed(file, path)) return file;
      file.close();
      file = undefined;
    }
    file = await files.openAppend(path);
    // A file that was just made is found after a power cut only where its folder was fsynced, too.
    await files.syncFolders([path]);
    return file;
  }

  return {
    signature: () => files.signature(path),
    read: async () => parseJournal(await files.read(path) ?? "", path),
    async append(records, sync) {
      const handle = await opened();
      const { size } = handle.statSync();
      const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
      try {
        writeAllSync(handle, new TextEncoder().encode(text));
        if (sync) await handle.syncData();
      } catch (cause) {
        await handle.truncate(size).catch(() => {});
        throw ioError("write", path, cause);
      }
    },
    async trim(length) {
      const handle = await opened();
      if (handle.statSync().size > length) await handle.truncate(length);
    },
    async clear() {
      await (await opened()).truncate(0);
    },
    close() {
      file?.close();
      file = undefined;
    },
  };
}
