/**
 * haproxy.cfg as far as doctor has questions to it: sections, their lines as words, and what a default says. HAProxy's own
 * parser says whether it is right (`haproxy -c`). Lines between `.if` and `.endif` count as there.
 */

export interface ConfigLine {
  /** Counted from 1. */
  readonly line: number;
  readonly words: readonly string[];
}

export interface Section {
  readonly kind: string;
  /** "" where it has none. */
  readonly name: string;
  readonly lines: readonly ConfigLine[];
  /** The `defaults` section whose lines hold for this one, too. */
  readonly defaults?: Section;
}

/** configuration.txt, 2 to 4, 11 and 12: what begins a section. */
const SECTIONS = [
  ...["global", "defaults", "frontend", "backend", "listen", "peers", "mailers", "resolvers"],
  ...["userlist", "program", "http-errors", "ring", "log-forward", "log-profile", "cache"],
  ...["crt-store", "traces", "acme", "fcgi-app"],
];

export function readHaproxyConfig(text: string): readonly Section[] {
  const sections: (Section & { readonly lines: ConfigLine[] })[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const words = wordsOf(raw);
    if (words.length === 0 || words[0].startsWith(".")) continue;
    const [kind, name = ""] = words;
    if (SECTIONS.includes(kind)) {
      // `frontend NAME from DEFAULTS`; else the last defaults section before it holds.
      const from = words.indexOf("from");
      const before = sections.filter((section) => section.kind === "defaults");
      const defaults = from < 0
        ? before.at(-1)
        : before.find((section) => section.name === words[from + 1]);
      const inherits = ["frontend", "backend", "listen"].includes(kind);
      sections.push({
        kind,
        name: name === "from" ? "" : name,
        lines: [],
        ...(inherits && defaults && { defaults }),
      });
    } else {
      sections.at(-1)?.lines.push({ line: index + 1, words });
    }
  }
  return sections;
}

/** Blanks divide words, but in quotes or behind a backslash; `#` ends the line (configuration.txt 2.2). */
function wordsOf(raw: string): string[] {
  const words: string[] = [];
  const word = /(?:\\.|"(?:\\.|[^"\\])*"?|'[^']*'?|[^\s"'\\#])+|#.*/g;
  for (const [found] of raw.matchAll(word)) {
    if (found.startsWith("#")) break;
    words.push(found.replace(/\\(.)|["']/g, (_, escaped = "") => escaped));
  }
  return words;
}

/** The lines of all sections of a kind that begin with these words. */
export function linesOf(
  sections: readonly Section[],
  kind: string,
  ...begin: readonly string[]
): ConfigLine[] {
  return sections.filter((section) => section.kind === kind)
    .flatMap(({ lines }) => lines).filter(({ words }) => begins(words, begin));
}

const begins = (words: readonly string[], begin: readonly string[]) =>
  begin.every((word, i) => words[i] === word);

/** The section's own line that begins so, the last one, else that of its defaults. */
export function effectiveLine(
  section: Section,
  ...begin: readonly string[]
): ConfigLine | undefined {
  const own = section.lines.findLast(({ words }) => begins(words, begin));
  return own ?? (section.defaults && effectiveLine(section.defaults, ...begin));
}

/** What stands behind a word: `init-addr last,127.0.0.1`. */
export function valueAfter(words: readonly string[], name: string): string | undefined {
  const at = words.lastIndexOf(name);
  return at < 0 ? undefined : words[at + 1];
}

/** True where a stats socket of the global section listens on this port. */
export function listensOn(config: string, port: number): boolean {
  return linesOf(readHaproxyConfig(config), "global", "stats", "socket")
    .some(({ words }) => words[2]?.endsWith(`:${port}`));
}
