/** data/audit.jsonl: one line for each call of a writing tool, refused ones too. Never a secret. */
import { type RootFiles, writeAll } from "../sandbox/files.ts";

export interface AuditRecord {
  readonly tool: string;
  readonly args: unknown;
  readonly caller: unknown;
  /** `OK`, or the error's code. */
  readonly code: string;
  readonly message?: string;
}

/** Appends one line; the time is added here, ISO 8601 UTC. */
export async function appendAudit(
  files: RootFiles,
  path: string,
  record: AuditRecord,
): Promise<void> {
  using file = await files.openAppend(path);
  const line = JSON.stringify({ at: new Date().toISOString(), ...record });
  await writeAll(file, new TextEncoder().encode(`${line}\n`));
}
