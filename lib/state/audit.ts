/**
 * data/audit.jsonl: one line for each call of a writing tool, refused ones too. Never a secret. A full file makes room:
 * audit.jsonl.1 is the one before, and so on.
 */
import { writeAllSync } from "../bytes.ts";
import type { Files } from "../config.ts";
import { log } from "../log.ts";
import { pause } from "../pause.ts";
import type { RootFiles } from "../sandbox/files.ts";
import type { Caller } from "../tool_definition.ts";
import { fileLock, type Holder } from "./lock.ts";

export interface AuditRecord {
  readonly tool: string;
  readonly args: unknown;
  readonly caller: Caller;
  /** What a person answered whom the client asked. Without it nobody was asked: `confirm` in `args` is the caller's word. */
  readonly answer?: "accepted" | "declined" | "unanswered";
  /** `OK`, or the error's code. */
  readonly code: string;
  readonly message?: string;
  /** What is different now, a line each: `domains.map: + example.com pool_5`. */
  readonly changed?: readonly string[];
  /** How long the call took. */
  readonly ms?: number;
}

export interface AuditLog {
  /** Appends one line; the time is added here, ISO 8601 UTC. */
  append(record: AuditRecord): Promise<void>;
  /** The last lines, the newest last, whole ones only. */
  last(count: number): Promise<readonly string[]>;
  close(): void;
}

export interface AuditLimits {
  /** Bytes, after which a new file is begun. */
  readonly size: number;
  /** Full files that are kept beside it. */
  readonly kept: number;
}

/** About 30,000 calls a file. */
export const AUDIT_LIMITS: AuditLimits = { size: 10 * 1024 * 1024, kept: 5 };

/** A call waits for it, and nobody holds it for longer than a few renames. */
const LOCK_WAIT_MS = 1_000;

/** So long nobody is at writing one line. */
const WRITING_MS = 10;

/**
 * True where the last line has no end: a full disk, or a crash, has cut it off. One that grows is being written: a line
 * across two of the kernel's pages is seen in two parts.
 */
async function endsWithin(file: Deno.FsFile): Promise<boolean> {
  for (let size = -1;;) {
    const end = file.seekSync(0, Deno.SeekMode.End);
    if (end === 0 || lastByte(file, end) === NEWLINE) return false;
    if (end === size) return true;
    size = end;
    await pause(WRITING_MS);
  }
}

const NEWLINE = 0x0a;

/** Synchronous: a byte that was just written costs less than hops to another thread. */
function lastByte(file: Deno.FsFile, end: number): number {
  file.seekSync(end - 1, Deno.SeekMode.Start);
  const last = new Uint8Array(1);
  file.readSync(last);
  return last[0];
}

const BLOCK = 64 * 1024;

/** Read from its end: a full file has a hundred times as many. What a crash cut off has no end, and is left out. */
function lastLines(file: Deno.FsFile, count: number): string[] {
  let start = file.statSync().size;
  let tail: Uint8Array<ArrayBuffer> = new Uint8Array();
  let ends = 0;
  // The end of the line before the first one that is wanted, too.
  while (start > 0 && ends <= count) {
    const length = Math.min(BLOCK, start);
    start -= length;
    file.seekSync(start, Deno.SeekMode.Start);
    const block = new Uint8Array(length);
    for (let read = 0; read < length;) read += file.readSync(block.subarray(read)) ?? length;
    ends += block.reduce((sum, byte) => sum + Number(byte === NEWLINE), 0);
    tail = new Uint8Array([...block, ...tail]);
  }
  const whole = tail.subarray(
    start > 0 ? tail.indexOf(NEWLINE) + 1 : 0,
    tail.lastIndexOf(NEWLINE) + 1,
  );
  return new TextDecoder().decode(whole).split("\n").filter(Boolean).slice(-count);
}

export function openAudit(
  files: RootFiles,
  { audit: path, auditLock }: Pick<Files, "audit" | "auditLock">,
  me: Holder,
  { size, kept }: AuditLimits = AUDIT_LIMITS,
  lockWaitMs = LOCK_WAIT_MS,
): AuditLog {
  const lock = fileLock(files, auditLock, me, lockWaitMs);
  const numbered = (number: number) => number === 0 ? path : `${path}.${number}`;

  /** Others append to the same file: who finds it full looks again under the lock, so that one of them moves it. */
  async function rotate(): Promise<void> {
    await lock.hold(async () => {
      using file = await files.openAppend(path);
      if (file.statSync().size < size) return;
      await files.remove(numbered(kept));
      for (let number = kept - 1; number >= 0; number--) {
        if (files.signature(numbered(number)) !== "missing") {
          await files.move(numbered(number), numbered(number + 1));
        }
      }
    });
  }

  async function openWithRoom(): Promise<Deno.FsFile> {
    const file = await files.openAppend(path);
    if (file.statSync().size < size) return file;
    file.close();
    // A file that is too large is the smaller harm.
    await rotate().catch((cause) => log.warning(`The audit log is full: ${cause.message}`));
    return await files.openAppend(path);
  }

  return {
    async append({ caller, ...record }) {
      using file = await openWithRoom();
      const { requestId, ...who } = caller;
      const at = new Date().toISOString();
      const line = JSON.stringify({ at, request_id: requestId, ...who, ...record });
      const start = await endsWithin(file) ? "\n" : "";
      writeAllSync(file, new TextEncoder().encode(`${start}${line}\n`));
    },
    async last(count) {
      const lines: string[] = [];
      for (let number = 0; number <= kept && lines.length < count; number++) {
        if (files.signature(numbered(number)) === "missing") break;
        using file = await files.openAppend(numbered(number));
        lines.unshift(...lastLines(file, count - lines.length));
      }
      return lines;
    },
    close: () => lock.close(),
  };
}
