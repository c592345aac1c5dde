import assert from "node:assert/strict";
import { progressLine } from "../../lib/cli/progress.ts";

const terminal = { columns: 20, colours: true, cursor: true };

function shown(
  options: Partial<typeof terminal>,
  act: (line: ReturnType<typeof progressLine>) => void,
) {
  let text = "";
  act(progressLine({ ...terminal, ...options }, (more) => text += more));
  return text;
}

Deno.test("progress is one line, written anew and taken away at the end", () => {
  const text = shown({}, (line) => {
    line.show({ progress: 1, total: 3, message: "one" });
    line.show({ progress: 2, total: 3 });
    line.show({ progress: 3 });
    line.end();
  });
  assert.equal(text, "\r\x1b[Kone\r\r\x1b[K2 of 3\r\r\x1b[K3\r\x1b[K");
});

Deno.test("progress that is longer than the terminal is cut; of what it was told nothing moves the cursor", () => {
  const message = "\x1b[2J\nabcdefghijklmnopqrstuvwxyz";
  const text = shown({}, (line) => line.show({ progress: 1, message }));
  assert.equal(text, "\r\x1b[K\\x1b[2J abcdefghij…\r");
});

Deno.test("where no cursor can be moved progress is a line each time, and nothing is taken away", () => {
  const text = shown({ cursor: false, colours: false }, (line) => {
    line.show({ progress: 1, message: "one" });
    line.show({ progress: 2, message: "two" });
    line.end();
  });
  assert.equal(text, "one\ntwo\n");
});

Deno.test("nothing is taken away where nothing was shown", () => {
  assert.equal(shown({}, (line) => line.end()), "");
});
