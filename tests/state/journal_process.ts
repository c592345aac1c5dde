/**
 * Appends to the journal of a root until the system refuses: `journal_process.ts ROOT`. Started with a limit of file
 * sizes, which stops root, too. Prints one JSON line: how many appends succeeded, and the error's code and message.
 */
import { readSettings } from "../../lib/config.ts";
import type { AgentError } from "../../lib/errors.ts";
import { openRoot } from "../../lib/sandbox/files.ts";
import { openJournal } from "../../lib/state/journal.ts";

const { root, journal: path } = readSettings({ HAPROXY_ROOT: Deno.args[0] }).files;
const journal = openJournal(await openRoot(root), path);
let appended = 0;
let failure: AgentError | undefined;
while (failure === undefined) {
  const change = { kind: "map", key: "a.test", before: null, after: "pool_1" } as const;
  await journal.append([{ t: "change", seq: appended + 1, tool: "test", changes: [change] }], true)
    .then(() => appended++, (cause) => failure = cause);
}
const { code, message } = failure;
console.log(
  JSON.stringify({ appended, code, message, inJournal: (await journal.read()).open.length }),
);
