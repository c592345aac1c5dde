/**
 * Files that are replaced together, whatever they held: staged, decided by one entry of a journal, put in place. What a
 * crash cuts off after that is carried on by whoever holds the lock next. HAProxy is not asked.
 */
import { dirname } from "node:path";
import { sha256 } from "../bytes.ts";
import type { Files } from "../config.ts";
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import type { RootFiles } from "../sandbox/files.ts";
import { type ReplacementEntry, replacementJournal } from "../state/replacement_journal.ts";
import { discardAll, type FileChange, stageAll } from "./file_changes.ts";

export interface Replacement {
  /** One was cut off, or is being carried out right now. */
  readonly pending: boolean;
  /**
   * Under the lock. What the other journals hold is about the files as they were: it goes with them. What is root's alone
   * follows when all else is in place. Throws STATE_IO with nothing changed, or OUTCOME_UNKNOWN once it is decided.
   */
  carryOut(changes: readonly FileChange[], options?: ReplacementOptions): Promise<void>;
  /** What was cut off. Under the lock. */
  finish(): Promise<void>;
}

export interface ReplacementOptions {
  /** No file of a certificate is among them: a change of one that was cut off is finished later. @default {false} */
  readonly withoutCertificates?: boolean;
}

export function replacement(files: RootFiles, paths: Files): Replacement {
  const journal = replacementJournal(files, paths.restoreJournal);
  /** Also of one that is half there: what is in its place already is passed over. */
  async function putInPlace(entry: ReplacementEntry): Promise<void> {
    const touched = entry.files.map(({ file }) => file);
    const others = [paths.journal, ...entry.withoutCertificates ? [] : [paths.certificateJournal]];
    for (const { file, staged } of entry.files) {
      if (staged && isThere(staged.path)) await files.move(staged.path, file);
    }
    await files.syncFolders(touched);
    for (const { file, staged } of entry.files) if (!staged) await files.remove(file);
    for (const path of others) await files.remove(path);
    await files.syncFolders([...touched, ...others]);
    await journal.clear();
  }

  const isThere = (path: string) => files.signature(path) !== "missing";

  /**
   * Else it failed as it was written down, and its staged files went, the last first. They are put in place from the first
   * on: those that are gone while later ones are left are in their places, whatever somebody has made of them since.
   */
  async function isDecided({ files: all }: ReplacementEntry): Promise<boolean> {
    const stages = all.flatMap(({ file, staged }) => staged ? [{ file, ...staged }] : []);
    const left = stages.map(({ path }) => isThere(path));
    if (stages.length === 0 || left.at(-1)) return true;
    for (const [i, { file, sha256: wanted }] of stages.entries()) {
      const content = !left[i] && isThere(file) ? await files.readBytes(file) : undefined;
      if (content && sha256(content) === wanted) return true;
    }
    return false;
  }

  return {
    get pending() {
      return journal.isWritten();
    },
    async carryOut(changes, { withoutCertificates = false } = {}) {
      for (const { file } of changes) await makeFolders(dirname(file));
      const staged = await stageAll(files, changes);
      // What the agent may not move would keep it from ever finishing: it stays out of its journal.
      const roots = changes.map(({ file }) => files.isRootsAlone(file));
      const entry: ReplacementEntry = {
        ...withoutCertificates && { withoutCertificates },
        files: changes.flatMap(({ file, text }, i) =>
          roots[i]
            ? []
            : [{ file, staged: staged[i] ? { path: staged[i].path, sha256: sha256(text!) } : null }]
        ),
      };
      try {
        await journal.write(entry);
      } catch (cause) {
        // It may lie there all the same: without its files it must not be found.
        await journal.clear().catch(() => {});
        await discardAll(staged);
        throw cause;
      }
      const apart = staged.filter((_, i) => roots[i]);
      await putInPlace(entry).catch(async (cause) => {
        await discardAll(apart);
        throw new AgentError(
          "OUTCOME_UNKNOWN",
          `The restore is written down, and could not be finished: ${
            AgentError.from(cause).message
          }`,
          {
            hint: "Put right what is named: the next call of haproxy-mcp finishes it." +
              (apart.length > 0 ? " Then restore once more, for what is root's." : ""),
            cause,
          },
        );
      });
      await putApart().catch(async (cause) => {
        await discardAll(apart);
        throw new AgentError(
          "OUTCOME_UNKNOWN",
          `The restore is done but for what is root's: ${AgentError.from(cause).message}`,
          { hint: "Put right what is named, then restore once more.", cause },
        );
      });

      async function putApart(): Promise<void> {
        for (const file of apart) await file?.commit();
        await files.syncFolders(changes.flatMap(({ file }, i) => roots[i] ? [file] : []));
      }
    },
    async finish() {
      const entry = await journal.read();
      if (entry === undefined) return;
      if (await isDecided(entry)) {
        await putInPlace(entry);
        return log.info("A restore was cut off: carried out");
      }
      for (const { staged } of entry.files) if (staged) await files.remove(staged.path);
      await journal.clear();
      log.info("A restore was cut off: taken back, as its files are gone");
    },
  };

  async function makeFolders(folder: string): Promise<void> {
    if (isThere(folder)) return;
    await makeFolders(dirname(folder));
    await files.makeFolder(folder);
  }
}
