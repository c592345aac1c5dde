/**
 * Prints what the tests counted (tests/support/evidence/record.ts) as tables, a row for each tool, reader, room or version.
 * Fails where a column that has to hold zeros holds something else.
 *
 * Usage: evidence.ts FILE [--into DOCUMENT]   --into also puts them between the marks of a document.
 */
import type { EvidenceRecord } from "../tests/support/evidence/record.ts";
import { withPart } from "./lib/marked.ts";

type Counts = Map<string, number>;

/** Tables and rows in the order of their names, columns in that of their first record. */
export function tables(records: readonly EvidenceRecord[]): string {
  const names = [...new Set(records.map(({ table }) => table))].sort();
  return names.map((name) => table(name, records.filter(({ table }) => table === name))).join("\n");
}

function table(name: string, records: readonly EvidenceRecord[]): string {
  const rows = new Map<string, Counts>();
  const total: Counts = new Map();
  for (const { row, counts } of records) {
    const cells = rows.get(row) ?? new Map();
    rows.set(row, cells);
    for (const [column, count] of Object.entries(counts)) {
      for (const sums of [cells, total]) sums.set(column, (sums.get(column) ?? 0) + count);
    }
  }
  // What has to be 0 stands at the end.
  const columns = [...total.keys()].sort((a, b) => Number(BAD.has(a)) - Number(BAD.has(b)));
  const line = (first: string, cells: Counts) =>
    `| ${first} | ${columns.map((column) => cells.get(column) ?? "").join(" | ")} |`;
  const body = [...rows].sort(([a], [b]) => a < b ? -1 : 1).map(([row, cells]) => line(row, cells));
  return [
    `### ${name}\n`,
    `| | ${columns.join(" | ")} |`,
    `|---|${"--:|".repeat(columns.length)}`,
    ...body,
    ...rows.size > 1 ? [line("**all**", total)] : [],
    "",
  ].join("\n");
}

/** Columns that are to hold zeros. */
const BAD = new Set(["lost", "half", "escaped", "failed"]);

/** One sentence for each count that had to be 0, in the order of the records. */
export function faults(records: readonly EvidenceRecord[]): string[] {
  return records.flatMap(({ table, row, counts }) =>
    Object.entries(counts).filter(([column, count]) => BAD.has(column) && count !== 0)
      .map(([column, count]) => `${table}, ${row}: ${count} ${column}, where 0 has to stand`)
  );
}

if (import.meta.main) {
  const [file, option, document] = Deno.args;
  const lines = (await Deno.readTextFile(file)).split("\n").filter(Boolean);
  const records: EvidenceRecord[] = lines.map((line) => JSON.parse(line));
  const text = tables(records);
  console.log(text);
  const found = faults(records);
  if (option === "--into" && found.length === 0 && records.length > 0) {
    await Deno.writeTextFile(
      document,
      withPart(document, await Deno.readTextFile(document), "evidence", text),
    );
  }
  for (const line of found) console.error(line);
  if (found.length > 0) Deno.exit(1);
}
