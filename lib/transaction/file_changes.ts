/** Several files that change together. */
import { basename } from "node:path";
import type { Command } from "../runtime/encode.ts";
import type { Mode, RootFiles, StagedFile } from "../sandbox/files.ts";
import type { Preview } from "./request.ts";

/** A change of one file: its new text, or null where it goes. */
export interface FileChange {
  readonly file: string;
  readonly text: string | null;
  readonly mode?: Mode;
  /** For people; never the content of a PEM. */
  readonly lines: readonly string[];
}

/** All or none. */
export async function stageAll(
  files: RootFiles,
  changes: readonly FileChange[],
): Promise<(StagedFile | undefined)[]> {
  const staged: (StagedFile | undefined)[] = [];
  try {
    for (const { file, text, mode } of changes) {
      staged.push(text === null ? undefined : await files.stage(file, text, mode));
    }
    return staged;
  } catch (cause) {
    await Promise.all(staged.map((file) => file?.discard()));
    throw cause;
  }
}

export function previewOf(changes: readonly FileChange[], commands: readonly Command[]): Preview {
  return {
    files: changes.filter(({ lines }) => lines.length > 0)
      .map(({ file, lines }) => ({ file: basename(file), lines })),
    commands: commands.map(({ line }) => line),
  };
}
