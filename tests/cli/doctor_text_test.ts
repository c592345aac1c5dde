import assert from "node:assert/strict";
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
    doctorText(DIAGNOSIS, false),
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
  const text = doctorText(DIAGNOSIS, true).replaceAll("\x1b", "<");
  assert.match(text, /^<\[1mhaproxy<\[22m\n {2}<\[32mok {5}<\[39m {2}one {5}fine$/m);
  assert.match(text, /<\[31mfault {2}<\[39m {2}longer {2}broken/);
});
