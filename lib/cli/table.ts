/** A list of things as a table that fits the terminal. */
import { harmless } from "./terminal.ts";

/** What the tools answer: plain data. */
export type Row = Readonly<Record<string, unknown>>;

export interface Table {
  readonly lines: readonly string[];
  /** Columns for which there is no room. */
  readonly leftOut: readonly string[];
}

interface Column {
  readonly key: string;
  readonly header: string;
  readonly cells: readonly string[];
  readonly isNumber: boolean;
  width: number;
}

const GAP = 2;
/** Text is wrapped into no less than this. */
const LEAST = 16;
/** How things are is what a person looks for: these stay, however narrow the terminal. */
const KEPT: readonly string[] = ["status", "state", "problem", "days_left", "loaded"];

/** A column for each key that says something in any row. Long texts are wrapped; where that is not enough the widest go. */
export function table(rows: readonly Row[], columns: number): Table {
  const all = columnsOf(rows);
  const shown = [...all];
  while (leastWidth(shown) > columns) {
    const [widest] = shown.slice(1).filter(({ key }) => !KEPT.includes(key))
      .sort((a, b) => b.width - a.width);
    if (!widest) break;
    shown.splice(shown.indexOf(widest), 1);
  }
  fit(shown, columns);
  return {
    lines: [
      lineOf(shown.map(({ header }) => header), shown),
      ...rows.flatMap((_, row) => linesOf(shown, row)),
    ],
    leftOut: all.filter((column) => !shown.includes(column)).map(({ key }) => key),
  };
}

function columnsOf(rows: readonly Row[]): Column[] {
  const keys = new Set(rows.flatMap(Object.keys));
  return [...keys].flatMap((key, i): Column[] => {
    const cells = rows.map((row) => cell(key, row[key]));
    // The first one is what the others are about.
    if (i > 0 && cells.every((text) => text === "")) return [];
    const header = key.replaceAll("_", " ").toUpperCase();
    const isNumber = rows.every((row) => row[key] == null || typeof row[key] === "number");
    const width = Math.max(displayWidth(header), ...cells.map(displayWidth));
    return [{ key, header, cells, isNumber, width }];
  });
}

const leastWidth = (columns: readonly Column[]) =>
  sum(columns.map(({ width, header }) => Math.min(width, Math.max(LEAST, header.length)))) +
  GAP * (columns.length - 1);

/** Takes from the widest column until the line fits: down to its longest word, and only then into the words. */
function fit(columns: readonly Column[], width: number): void {
  let over = sum(columns.map((column) => column.width)) + GAP * (columns.length - 1) - width;
  const takeFrom = (leastOf: (column: Column) => number) => {
    const least = new Map(columns.map((column) => [column, leastOf(column)]));
    for (; over > 0; over--) {
      const [widest] = columns.filter((column) => column.width > least.get(column)!)
        .sort((a, b) => b.width - a.width);
      if (!widest) return;
      widest.width--;
    }
  };
  takeFrom(({ header, cells }) =>
    Math.max(header.length, ...cells.flatMap((text) => text.split(" ").map(displayWidth)))
  );
  takeFrom(({ header }) => Math.max(1, header.length));
}

/** A row takes as many lines as its longest cell. */
function linesOf(columns: readonly Column[], row: number): string[] {
  const wrapped = columns.map(({ cells, width }) => wrap(cells[row], width));
  const height = Math.max(...wrapped.map(({ length }) => length));
  return Array.from(
    { length: height },
    (_, i) => lineOf(wrapped.map((lines) => lines[i] ?? ""), columns),
  );
}

function lineOf(cells: readonly string[], columns: readonly Column[]): string {
  return cells.map((text, i) => {
    const { width, isNumber } = columns[i];
    const blanks = " ".repeat(Math.max(0, width - displayWidth(text)));
    return isNumber ? blanks + text : text + blanks;
  }).join(" ".repeat(GAP)).trimEnd();
}

/** At blanks; a word that is longer than a line is cut. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (displayWidth(longer) <= width) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    const pieces = cut(word, width);
    lines.push(...pieces.slice(0, -1));
    line = pieces[pieces.length - 1];
  }
  return [...lines, line];
}

function cut(word: string, width: number): string[] {
  const pieces = [""];
  for (const character of word) {
    const last = pieces.length - 1;
    if (displayWidth(pieces[last] + character) > width && pieces[last] !== "") {
      pieces.push(character);
    } else pieces[last] += character;
  }
  return pieces;
}

/** A value in a cell; nothing for what says nothing. */
function cell(key: string, value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((item) => cell("", item)).filter(Boolean).join(", ");
  if (typeof value === "object") return thing(value as Row);
  if (key === "days_left") return `${value} days`;
  return harmless(String(value).replaceAll("\n", " "));
}

/** `pool_1_2=10.0.0.2:80 drain`, or what it is called, or all of it. */
function thing(row: Row): string {
  const { name, ip, http_port, state } = row;
  if (typeof ip === "string") {
    const place = `${ip.includes(":") ? `[${ip}]` : ip}:${http_port}`;
    return `${name}=${place}${state === "ready" ? "" : ` ${state}`}`;
  }
  if (typeof name === "string") return name;
  return Object.entries(row).map(([key, value]) => `${key} ${cell(key, value)}`).join(" ");
}

/** East Asian letters and pictures take two places, marks over a letter none (Unicode Standard Annex #11). */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  return sum(
    [...text].map((character) => NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1),
  );
}

const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\p{Emoji_Presentation}]$/u;

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
