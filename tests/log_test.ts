import assert from "node:assert/strict";
import { log, openLog } from "../lib/log.ts";

/** What `write` puts on stderr and stdout while the console is ours. */
function captured(write: () => void): { readonly stderr: string[]; readonly stdout: string[] } {
  const lines = { stderr: [] as string[], stdout: [] as string[] };
  const { error, log: out, info, debug, warn } = console;
  console.error = console.warn = (line: string) => lines.stderr.push(line);
  console.log = console.info = console.debug = (line: string) => lines.stdout.push(line);
  try {
    write();
  } finally {
    Object.assign(console, { error, log: out, info, debug, warn });
  }
  return lines;
}

Deno.test("a record is one line on stderr: time, level, room, message", () => {
  openLog("main", { level: "DEBUG", format: "text" });
  const { stderr, stdout } = captured(() => {
    log.debug("d");
    log.info("i");
    log.warning("w");
    log.error("e");
  });
  assert.deepEqual(stdout, []);
  assert.deepEqual(stderr.map((line) => line.replace(/^\S+Z /, "")), [
    "DEBUG main: d",
    "INFO main: i",
    "WARNING main: w",
    "ERROR main: e",
  ]);
  assert.match(stderr[0], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /);
});

Deno.test("records below the level are left out", () => {
  openLog("tools", { level: "WARNING", format: "text" });
  const { stderr } = captured(() => {
    log.info("i");
    log.error("e");
  });
  assert.equal(stderr.length, 1);
});

Deno.test("a stranger's line breaks and terminal codes start no line and no colour", () => {
  openLog("front", { level: "INFO", format: "text" });
  const { stderr } = captured(() => log.info("a\n2026-01-01 ERROR forged\r\x1b[31mred"));
  assert.equal(stderr.length, 1);
  // deno-lint-ignore no-control-regex -- these are what must not be there
  assert.doesNotMatch(stderr[0], /[\n\r\x1b]/);
});

Deno.test("braces in a message are text, as it may hold somebody's JSON", () => {
  openLog("main", { level: "INFO", format: "text" });
  const { stderr } = captured(() => log.info('{"a": {b}} {}'));
  assert.match(stderr[0], /main: \{"a": \{b\}\} \{\}$/);
});
