/** Which PEM file a line of the crt-list is about: HAProxy may see the folder elsewhere, so the file's name decides. */
import { basename, dirname, join } from "node:path";
import type { Files } from "../config.ts";
import { AgentError } from "../errors.ts";
import type { CrtListLine } from "./crt_list_file.ts";

export interface LinesByFile {
  /** By the PEM's path on this machine. */
  readonly lines: ReadonlyMap<string, readonly CrtListLine[]>;
  /** Files that several paths would mean: CERTIFICATE. */
  readonly ambiguous: ReadonlyMap<string, AgentError>;
  /** How the lines spell the folder, each spelling once. */
  readonly folders: readonly string[];
}

export function linesByFile(
  all: readonly CrtListLine[],
  paths: Pick<Files, "crtList" | "certsFolder">,
): LinesByFile {
  const lines = Map.groupBy(all, ({ path }) => join(paths.certsFolder, basename(path)));
  const ambiguous = new Map<string, AgentError>();
  for (const [file, some] of lines) {
    if (new Set(some.map(({ path }) => path)).size > 1) {
      ambiguous.set(file, ambiguousError(file, some, paths));
    }
  }
  return { lines, ambiguous, folders: [...new Set(all.map(({ path }) => dirname(path)))] };
}

function ambiguousError(
  file: string,
  lines: readonly CrtListLine[],
  { crtList, certsFolder }: Pick<Files, "crtList" | "certsFolder">,
): AgentError {
  const numbers = lines.map(({ line }) => line).join(", ");
  return new AgentError(
    "CERTIFICATE",
    `${crtList}, lines ${numbers}: these are different files, and each would be ${file}.`,
    { hint: `Give every certificate a file name of its own in ${certsFolder}.`, details: { file } },
  );
}
