/** Tables that a person reads in a terminal, and numbers with their units. */

export type Cell = string | number;

/** Columns as wide as their widest cell; numbers, with or without a unit, and durations stand to the right. */
export function textTable(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = [header, ...rows.map((row) => row.map(String))];
  const widths = header.map((_, i) => Math.max(...texts.map((row) => row[i].length)));
  const right = header.map((_, i) =>
    rows.every((row) => row[i] === "-" || isNumber(row[i])) && rows.some((row) => isNumber(row[i]))
  );
  return texts.map((row) =>
    row.map((cell, i) => right[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))
      .join("  ").trimEnd()
  ).join("\n");
}

const isNumber = (cell: Cell) =>
  typeof cell === "number" || /^\d+(\.\d+)?( ?[a-zA-Z/%]+|[dhm]\d+[hms])?$/.test(cell);

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** `0 B`, `1.5 kB`, `12 MB`: thousands, three digits at most. */
export function bytes(count: number): string {
  let unit = 0;
  let value = count;
  for (; value >= 999.5 && unit < UNITS.length - 1; unit++) value /= 1000;
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, "")} ${UNITS[unit]}`;
}

/** `45s`, `12m`, `5h12m`, `3d4h`: two units at most. */
export function duration(seconds: number): string {
  const [d, h, m] = [86_400, 3_600, 60];
  if (seconds >= d) return `${Math.floor(seconds / d)}d${Math.floor((seconds % d) / h)}h`;
  if (seconds >= h) return `${Math.floor(seconds / h)}h${Math.floor((seconds % h) / m)}m`;
  if (seconds >= m) return `${Math.floor(seconds / m)}m${seconds % m}s`;
  return `${seconds}s`;
}
