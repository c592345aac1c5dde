/**
 * A tool's answer for a terminal. Its text is made for people, tables included; where it gives a list in a line of prose for
 * each, the list becomes a table. What is no terminal gets the text as it is, as any MCP client does.
 */
import type { ToolResult } from "../tool_definition.ts";
import { paint, paintChange, paintStatus } from "./paint.ts";
import { displayWidth, type Row, table, wrap } from "./table.ts";
import { harmless, type Terminal } from "./terminal.ts";

const BULLET = "• ";
/** Long lines of a table go on below its last column, unless that leaves less than this. */
const LEAST = 24;

export function answerText({ text, structured }: ToolResult, terminal: Terminal): string {
  const { columns, colours } = terminal;
  const lines = withTable(harmless(text).split("\n"), structured, columns)
    .flatMap((line) => hanging(line, columns));
  if (!colours) return lines.join("\n");
  const painted = text.startsWith("Dry run") ? paintChange : paintLine;
  return lines.map(painted).join("\n");
}

/** The lines with a table in the place of those that stand for the rows of a list. */
function withTable(
  lines: readonly string[],
  structured: Readonly<Record<string, unknown>>,
  columns: number,
): readonly string[] {
  const first = lines.findIndex((line) => line.startsWith(BULLET));
  const rows = Object.values(structured).find(isList);
  if (first < 0 || rows === undefined) return lines;
  const after = first + rows.length;
  const areRows = lines.every((line, i) => line.startsWith(BULLET) === (i >= first && i < after));
  if (!areRows || after > lines.length) return lines;
  const { lines: shown, leftOut } = table(rows, columns);
  const note = `No room for ${leftOut.join(", ")}: --json has all.`;
  return [
    ...lines.slice(0, first),
    ...shown,
    ...leftOut.length > 0 ? [note] : [],
    ...lines.slice(after),
  ];
}

function isList(value: unknown): value is readonly Row[] {
  return Array.isArray(value) && value.length > 0 &&
    value.every((item) => typeof item === "object" && item !== null && !Array.isArray(item));
}

/** A line of a table whose last column is too long for the terminal, which would break it anywhere. */
function hanging(line: string, columns: number): string[] {
  if (displayWidth(line) <= columns) return [line];
  const begin = /^(.*\S {2,})\S/.exec(line)?.[1].length ?? 0;
  if (begin === 0 || begin + LEAST > columns) return [line];
  const [first, ...more] = wrap(line.slice(begin), columns - begin);
  return [line.slice(0, begin) + first, ...more.map((rest) => " ".repeat(begin) + rest)];
}

/** `FRONTEND  STATUS  REQ/s  2xx`. */
const HEADER = /^[A-Z]+(?: [A-Z]+)*(?: {2,}[A-Z0-9][A-Za-z0-9/ ]*?)+$/;

const paintLine = (line: string) => HEADER.test(line) ? paint("bold", line) : paintStatus(line);
