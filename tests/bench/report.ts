/** Rows as a reader sees them: a table for the terminal, which is Markdown too. */
import type { Line } from "./row.ts";

const HEADS = ["what", "ours", "beside", "result", "target", "met"];

export function table(lines: readonly Line[]): string {
  const rows = lines.map(({ what, ours = "", beside = "", result, target, met }) => [
    what,
    ours,
    beside,
    result,
    target,
    target === "" ? "" : met === undefined ? "–" : met ? "yes" : "**no**",
  ]);
  const widths = HEADS.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  return [line(HEADS), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`]
    .concat(rows.map(line)).join("\n");
}

/** `12 of 14 targets met, 2 missed, 1 not measured here` */
export function verdict(lines: readonly Line[]): string {
  const aimed = lines.filter(({ target }) => target !== "");
  const count = (met: boolean | undefined) => aimed.filter((line) => line.met === met).length;
  const measured = aimed.length - count(undefined);
  return `${count(true)} of ${measured} targets met, ${count(false)} missed, ` +
    `${count(undefined)} not measured here`;
}
