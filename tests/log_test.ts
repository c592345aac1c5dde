import assert from "node:assert/strict";
import { log, logWithin, newRequestId, openLog } from "../lib/log.ts";

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

Deno.test("what is logged within a request bears its id, across awaits, and nothing else does", async () => {
  openLog("front", { level: "INFO", format: "text" });
  const { error } = console;
  const lines: string[] = [];
  console.error = (line: string) => lines.push(line);
  try {
    await Promise.all(["a", "b"].map((id) =>
      logWithin(id, async () => {
        await new Promise((resolve) => setTimeout(resolve, id === "a" ? 10 : 5));
        log.info(`within ${id}`);
      })
    ));
    log.info("outside");
    logWithin(undefined, () => log.info("of no request"));
  } finally {
    console.error = error;
  }
  assert.deepEqual(lines.map((line) => line.replace(/^.*front: /, "")), [
    "within b [b]",
    "within a [a]",
    "outside",
    "of no request",
  ]);
});

Deno.test("LOG_FORMAT=json: an object a line, with time, level, room, message and request", () => {
  openLog("tools", { level: "INFO", format: "json" });
  const { stderr } = captured(() =>
    logWithin("5f0c", () => log.warning('a "quoted"\nmessage {x} \x1b[31m'))
  );
  assert.equal(stderr.length, 1);
  const { time, ...record } = JSON.parse(stderr[0]);
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(record, {
    level: "WARNING",
    room: "tools",
    message: 'a "quoted"\nmessage {x} \x1b[31m',
    request: "5f0c",
  });
});

Deno.test("newRequestId is short and another one each time", () => {
  const ids = new Set(Array.from({ length: 1_000 }, newRequestId));
  assert.equal(ids.size, 1_000);
  for (const id of ids) assert.match(id, /^[0-9a-f]{12}$/);
});
