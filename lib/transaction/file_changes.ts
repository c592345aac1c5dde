/** Several files that change together. */
import { basename } from "node:path";
import type { Command } from "../runtime/encode.ts";
import type { Mode, RootFiles, StagedFile } from "../sandbox/files.ts";
import type { Preview } from "./request.ts";

/** A change of one file: its new content, or null where it goes. */
export interface FileChange {
  readonly file: string;
  readonly text: string | Uint8Array | null;
  readonly mode?: Mode;
  /** haproxy.cfg, the unit's settings: see StageOptions. */
  readonly roots?: boolean;
  /** For people; never the content of a PEM. */
  readonly lines: readonly string[];
}

/** All or none, and found again after a power cut. None for a file that goes. */
export async function stageAll(
  files: RootFiles,
  changes: readonly FileChange[],
): Promise<(StagedFile | undefined)[]> {
  const staged: (StagedFile | undefined)[] = [];
  try {
    for (const { file, text, mode, roots } of changes) {
      staged.push(text === null ? undefined : await files.stage(file, text, { mode, roots }));
    }
    await files.syncFolders(staged.flatMap((each) => each ? [each.path] : []));
    return staged;
  } catch (cause) {
    await discardAll(staged);
    throw cause;
  }
}

/** The last first: whoever finds a part of them can tell it from files that were put in place, which go the other way. */
export async function discardAll(staged: readonly (StagedFile | undefined)[]): Promise<void> {
  for (const file of staged.toReversed()) await file?.discard();
}

/** In their order; a file that goes only once the others are there for good, as they may still name it. */
export async function putInPlace(
  files: RootFiles,
  changes: readonly FileChange[],
  staged: readonly (StagedFile | undefined)[],
): Promise<void> {
  const touched = changes.map(({ file }) => file);
  for (const file of staged) await file?.commit();
  await files.syncFolders(touched);
  for (const { file, text } of changes) if (text === null) await files.remove(file);
  await files.syncFolders(touched);
}

export function previewOf(changes: readonly FileChange[], commands: readonly Command[]): Preview {
  return {
    files: changes.filter(({ lines }) => lines.length > 0)
      .map(({ file, lines }) => ({ file: basename(file), lines })),
    commands: commands.map(({ line }) => line),
  };
}
