import assert from "node:assert/strict";
import { coloured } from "../../lib/cli/colour.ts";
import { doctorText } from "../../lib/cli/doctor_text.ts";
import type { Diagnosis } from "../../lib/doctor/checks.ts";

const DIAGNOSIS: Diagnosis = {
  checks: [
    { name: "one", group: "haproxy", status: "ok", message: "fine" },
    {
      name: "longer",
      group: "haproxy",
      status: "fault",
      message: "broken",
      remedy: "Do this.\nThen that.",
    },
    { name: "two", group: "agent", status: "warning", message: "odd\x1b[2J\nname", remedy: "See." },
    { name: "three", group: "agent", status: "skipped", message: "no look" },
  ],
  faults: 1,
  warnings: 1,
};

Deno.test("doctorText aligns, puts what to do below what is wrong, and counts", () => {
  assert.equal(
    doctorText(DIAGNOSIS, (text) => text),
    `haproxy
  ok       one     fine
  fault    longer  broken
                   Do this.
                   Then that.

agent
  warning  two     odd [2J name
                   See.
  skipped  three   no look

1 fault, 1 warning, 1 ok, 1 skipped`,
  );
});

Deno.test("doctorText paints the status alone, so that columns stay", () => {
  const text = doctorText(DIAGNOSIS, (text, colour) => `<${colour}>${text}</>`);
  assert.match(text, /^<bold>haproxy<\/>\n {2}<green>ok {5}<\/> {2}one {5}fine$/m);
  assert.match(text, /<red>fault {2}<\/> {2}longer {2}broken/);
});

Deno.test("coloured leaves the text as it is where no terminal is", () => {
  assert.equal(coloured("x", "red", false), "x");
  assert.equal(coloured("x", "red", true), "\x1b[31mx\x1b[0m");
});
