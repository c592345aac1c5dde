/** The crt-list: `path [options] filters` a line, as HAProxy reads it at its start (configuration.txt 5.1, crt-list). */
import { AgentError } from "../errors.ts";
import {
  type CrtListEntry,
  isCertificateName,
  isCrtListWord,
  repeatedStoreOption,
} from "../runtime/commands.ts";

export interface CrtListLine extends CrtListEntry {
  /** Counted from 1. */
  readonly line: number;
}

/**
 * The lines that name a certificate, in their order. A comment is a line that begins with `#`: behind blanks, or after a
 * path, `#` is a word like any other, for HAProxy too. Throws STATE_CORRUPT with file and line for a line that HAProxy
 * would refuse, or read otherwise than it looks.
 */
export function parseCrtListFile(text: string, file: string): CrtListLine[] {
  return text.split("\n").flatMap((raw, index): CrtListLine[] => {
    if (raw.startsWith("#") || raw.trim() === "") return [];
    const entry = parseLine(raw.trim());
    if (typeof entry !== "string") return [{ ...entry, line: index + 1 }];
    throw new AgentError("STATE_CORRUPT", `${file}, line ${index + 1}: ${entry}.`, {
      hint:
        "A line is a certificate's path, and perhaps [options] and names: /path/a.pem [ssl-min-ver TLSv1.2] a.test.",
    });
  });
}

/** The line's entry, or what is wrong with it. */
function parseLine(line: string): CrtListEntry | string {
  const match = /^([^\s[\]]+)\s*(?:\[([^[\]]*)\])?([^[\]]*)$/.exec(line);
  if (!match) return "its brackets do not stand round options right behind the path";
  const words = (part = "") => part.split(/\s+/).filter((word) => word !== "");
  const [, path, options, filters] = match;
  const entry = { path, options: words(options), filters: words(filters) };
  if (path.startsWith("#")) return "a comment begins in the first column";
  const bad = isCertificateName(path)
    ? [...entry.options, ...entry.filters].find((word) => !isCrtListWord(word))
    : path;
  const twice = repeatedStoreOption(entry.options);
  if (twice !== undefined) return `the option ${twice} stands there twice`;
  if (bad === undefined) return entry;
  return `${JSON.stringify(bad.slice(0, 200))} is too long or has characters that can't be sent`;
}

/** The text without those lines, counted from 1, and with these behind the rest. All else stays as it is. */
export function editCrtList(
  text: string,
  without: ReadonlySet<number>,
  added: readonly CrtListEntry[],
): string {
  const kept = text.split("\n").filter((_, index) => !without.has(index + 1)).join("\n");
  const begin = kept === "" || kept.endsWith("\n") ? kept : `${kept}\n`;
  return begin + added.map((entry) => `${renderCrtListLine(entry)}\n`).join("");
}

export function renderCrtListLine({ path, options, filters }: CrtListEntry): string {
  const bracketed = options.length === 0 ? [] : [`[${options.join(" ")}]`];
  return [path, ...bracketed, ...filters].join(" ");
}
