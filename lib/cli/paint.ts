/** Colours by meaning: what serves is green, what does not is red, what is on its way or needs a look is yellow. */

export type Colour = keyof typeof CODES;

/** SGR (ECMA-48, 8.3.117): on, and off again. */
const CODES = {
  bold: [1, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  grey: [90, 39],
} as const;

export function paint(colour: Colour, text: string): string {
  const [on, off] = CODES[colour];
  return `\x1b[${on}m${text}\x1b[${off}m`;
}

const WORDS: Readonly<Record<Exclude<Colour, "bold" | "grey">, readonly string[]>> = {
  green: ["UP", "OPEN", "ok", "healthy", "ready", "loaded"],
  red: ["DOWN", "STOP", "down", "failed", "expired", "no_servers"],
  yellow: ["DRAIN", "MAINT", "NOLB", "drain", "maint", "degraded", "due", "not loaded"],
};
const COLOURS = new Map(
  Object.entries(WORDS).flatMap(([colour, words]) =>
    words.map((word) => [word, colour as Colour] as const)
  ),
);
/** `ok.example`, `down-time` and `/ready` are names. Longer ones first: `not loaded`. */
const STATUS = new RegExp(
  `(?<![\\w./@-])(${
    [...COLOURS.keys()].sort((a, b) => b.length - a.length).join("|")
  })(?![\\w/@-]|\\.\\w)`,
  "g",
);
const DAYS = /(?<![\w.-])(-?\d+) days\b/g;
/** Days until a certificate ends: one that renews itself is renewed by then. */
const SOON = 21, NOW = 7;

/** The words of a line that say how something is. */
export function paintStatus(line: string): string {
  return line
    .replace(STATUS, (word) => paint(COLOURS.get(word)!, word))
    .replace(
      DAYS,
      (days, count) =>
        Number(count) < NOW
          ? paint("red", days)
          : Number(count) < SOON
          ? paint("yellow", days)
          : days,
    );
}

/** `- line` goes, `+ line` comes, as a dry run has them. */
export function paintChange(line: string): string {
  const [, sign] = /^ *([-+]) /.exec(line) ?? [];
  return sign === undefined ? line : paint(sign === "+" ? "green" : "red", line);
}
