/**
 * Measures every row beside its baseline of the same run, and prints the table. Nothing fails for being slow.
 *
 * Usage: main.ts [--short] [--into DOCUMENT] [ROW...]   --short only tries whether each row works; --into puts the table
 * between the marks of a document, and the plot beside it.
 */
import { parseArgs } from "node:util";
import { withPart } from "../../scripts/lib/marked.ts";
import { plot } from "./plot.ts";
import { table, verdict } from "./report.ts";
import type { Line, Row } from "./row.ts";
import { addDomain } from "./rows/add_domain.ts";
import { certificates } from "./rows/certificates.ts";
import { curves, growthRow } from "./rows/growth.ts";
import { hop } from "./rows/hop.ts";
import { batch, manyClients } from "./rows/many_clients.ts";
import { memory, size, start } from "./rows/process.ts";
import { rate } from "./rows/rate.ts";
import { reading } from "./rows/reading.ts";
import { restore } from "./rows/restore.ts";
import { serverChange } from "./rows/server_change.ts";
import { wayOfACall } from "./rows/way_of_a_call.ts";

let drawing: string | undefined;
const growth = growthRow((measured) => {
  drawing = plot("Median of a call over HTTP, by the number of domains", curves(measured));
});
const ROWS: readonly Row[] = [
  addDomain,
  growth,
  manyClients,
  batch,
  restore,
  certificates,
  rate,
  serverChange,
  reading,
  wayOfACall,
  hop,
  start,
  memory,
  size,
];

const { values: { short, into }, positionals: names } = parseArgs({
  args: Deno.args,
  options: { short: { type: "boolean" }, into: { type: "string" } },
  allowPositionals: true,
});
const unknown = names.find((name) => !ROWS.some((row) => row.name === name));
if (unknown !== undefined) {
  console.error(`There is no row ${unknown}: ${ROWS.map(({ name }) => name).join(", ")}.`);
  Deno.exit(2);
}

const lines: Line[] = [];
for (const row of ROWS.filter(({ name }) => names.length === 0 || names.includes(name))) {
  const began = performance.now();
  const measured = await row.measure(short ? "short" : "full");
  lines.push(...measured);
  console.error(`${row.name}: ${Math.round((performance.now() - began) / 1000)} s`);
  if (!short) console.error(table(measured));
}
const text = `${table(lines)}\n\n${verdict(lines)}.`;
console.log(text);
if (into !== undefined && names.length === 0) {
  await Deno.writeTextFile(
    into,
    withPart(into, await Deno.readTextFile(into), "performance", text),
  );
  if (drawing) await Deno.writeTextFile(into.replace(/\.md$/, ".svg"), drawing);
}
