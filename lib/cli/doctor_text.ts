/** What `doctor` prints: a line a check, by group, and below what is wrong what to do. */
import { counted } from "../counted.ts";
import { GROUPS, type Outcome, type Status } from "../doctor/check.ts";
import type { Diagnosis } from "../doctor/checks.ts";
import { type Colour, paint } from "./paint.ts";

const COLOURS: Readonly<Record<Status, Colour>> = {
  ok: "green",
  warning: "yellow",
  fault: "red",
  skipped: "grey",
};
const STATUS_WIDTH = Math.max(...Object.keys(COLOURS).map(({ length }) => length));

/** @param colours whether there are some */
export function doctorText({ checks, faults, warnings }: Diagnosis, colours: boolean): string {
  const painted = (colour: Colour, text: string) => colours ? paint(colour, text) : text;
  const nameWidth = Math.max(...checks.map(({ name }) => name.length));
  const indent = " ".repeat(STATUS_WIDTH + nameWidth + 6);

  function lines(outcome: Outcome): string[] {
    const { status, name, message } = outcome;
    const head = `  ${painted(COLOURS[status], status.padEnd(STATUS_WIDTH))}  ${
      name.padEnd(nameWidth)
    }  `;
    const remedy = "remedy" in outcome ? outcome.remedy.split("\n") : [];
    return [head + printable(message), ...remedy.map((line) => indent + printable(line))];
  }

  const groups = GROUPS.flatMap((group) => {
    const those = checks.filter((check) => check.group === group);
    return those.length > 0 ? [[painted("bold", group), ...those.flatMap(lines)].join("\n")] : [];
  });
  const skipped = checks.filter(({ status }) => status === "skipped").length;
  const fine = checks.length - faults - warnings - skipped;
  const last = `${counted(faults, "fault")}, ${
    counted(warnings, "warning")
  }, ${fine} ok, ${skipped} skipped`;
  return [...groups, last].join("\n\n");
}

/** Names of files, and what HAProxy and strangers say, may hold any byte: none steers a terminal. */
// deno-lint-ignore no-control-regex -- those are what it is about
const printable = (text: string) => text.replace(/[\0-\x1f\x7f-\x9f\u2028\u2029]+/g, " ");
