import assert from "node:assert/strict";
import fc from "fast-check";
import { type JournalRecord, openJournal, parseJournal } from "../../lib/state/journal.ts";
import { testRoot } from "./root.ts";

const PATH = "/root/data/journal/changes.jsonl";
const PLACE = "data/journal/changes.jsonl";

const entry = (seq: number): JournalRecord => ({
  t: "change",
  seq,
  tool: "haproxy_add_domain",
  changes: [{ kind: "map", key: `ä${seq}.test`, before: null, after: "pool_1" }],
});
const text = (...records: JournalRecord[]) =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("");
const bytes = (text: string) => new TextEncoder().encode(text).length;
/** The numbers of the entries, by what became of them. */
function numbers(text: string) {
  const { done, open, doubtful, lastSeq } = parseJournal(text, PATH);
  const seqs = (entries: readonly { readonly seq: number }[]) => entries.map(({ seq }) => seq);
  return { done: seqs(done), open: seqs(open), doubtful: seqs(doubtful), lastSeq };
}

Deno.test("an empty journal has nothing in it", () => {
  assert.deepEqual(parseJournal("", PATH), {
    done: [],
    open: [],
    doubtful: [],
    lastSeq: 0,
    length: 0,
  });
});

Deno.test("entries are done, undone, doubtful or open by their marks", () => {
  assert.deepEqual(
    numbers(text(
      entry(1),
      entry(2),
      { t: "done", seqs: [1, 2] },
      entry(3),
      { t: "undone", seqs: [3] },
      entry(4),
      { t: "doubtful", seqs: [4] },
      entry(5),
      entry(6),
    )),
    { done: [1, 2], open: [5, 6], doubtful: [4], lastSeq: 6 },
  );
});

Deno.test("of several marks of an entry the last one counts", () => {
  assert.deepEqual(
    numbers(text(entry(1), { t: "doubtful", seqs: [1] }, { t: "undone", seqs: [1] })),
    { done: [], open: [], doubtful: [], lastSeq: 1 },
  );
});

Deno.test("a journal cut anywhere is read up to the last whole record, and its length is in bytes", () => {
  const records = [entry(1), { t: "done", seqs: [1] } as const, entry(2), entry(3)];
  const whole = new TextEncoder().encode(text(...records));
  const ends = records.map((_, i) => bytes(text(...records.slice(0, i + 1))));
  for (let cut = 0; cut <= whole.length; cut++) {
    const { length } = parseJournal(new TextDecoder().decode(whole.subarray(0, cut)), PATH);
    assert.equal(length, ends.findLast((end) => end <= cut) ?? 0, `cut at ${cut}`);
  }
});

for (
  const [what, end] of [
    ["NUL bytes", "\0\0\0\0"],
    ["NUL bytes and a newline", "\0\0\0\0\n"],
    ["several broken lines", '{"t":"chan\ngarbage\n'],
    ["JSON that is no record", 'null\n5\n"text"\n[]\n{}\n'],
    ["an entry without a number", '{"t":"change","tool":"x","changes":[]}\n'],
    ["a mark of an unknown kind", '{"t":"perhaps","seqs":[1]}\n'],
  ]
) {
  Deno.test(`a torn end of ${what} is left out`, () => {
    const whole = text(entry(1));
    assert.deepEqual(numbers(whole + end), { done: [], open: [1], doubtful: [], lastSeq: 1 });
    assert.equal(parseJournal(whole + end, PATH).length, bytes(whole));
  });
}

Deno.test("a broken line before a whole one is STATE_CORRUPT with file and line", () => {
  for (const broken of ["{", "\0\0", "null", "{}"]) {
    assert.throws(() => parseJournal(`${text(entry(1))}${broken}\n${text(entry(2))}`, PATH), {
      code: "STATE_CORRUPT",
      message: `${PATH}, line 2 is not a journal record.`,
    });
  }
});

Deno.test("what is appended is read back, in any order of appends and marks", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(fc.constantFrom("done", "undone", "doubtful" as const)), {
        maxLength: 12,
      }),
      async (marks) => {
        await using root = await testRoot();
        const journal = openJournal(root.files, root.paths.journal);
        for (const [i, mark] of marks.entries()) {
          await journal.append([entry(i + 1)], true);
          if (mark) await journal.append([{ t: mark, seqs: [i + 1] }], false);
        }
        const { done, open, doubtful, length } = await journal.read();
        const of = (mark: string | null) =>
          marks.flatMap((m, i) => m === mark ? [entry(i + 1)] : []);
        assert.deepEqual([done, open, doubtful], [of("done"), of(null), of("doubtful")]);
        assert.equal(length, bytes(await root.files.read(root.paths.journal) ?? ""));
        journal.close();
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("trim cuts a torn end off, and what is appended then is read", async () => {
  await using root = await testRoot();
  await root.write(PLACE, `${text(entry(1))}{"t":"change","se`);
  const journal = openJournal(root.files, root.paths.journal);
  await journal.trim((await journal.read()).length);
  assert.equal(await root.text(PLACE), text(entry(1)));
  await journal.append([entry(2)], true);
  assert.equal(await root.text(PLACE), text(entry(1), entry(2)));
  journal.close();
});

Deno.test("clear empties the file, and a file that was moved away is made anew", async () => {
  await using root = await testRoot();
  const journal = openJournal(root.files, root.paths.journal);
  await journal.append([entry(1)], true);
  await journal.clear();
  assert.equal(await root.text(PLACE), "");
  await journal.append([entry(2)], true);
  await Deno.rename(root.paths.journal, `${root.paths.journal}.bad`);
  await journal.append([entry(3)], true);
  assert.equal(await root.text(PLACE), text(entry(3)));
  assert.equal((await Deno.stat(root.paths.journal)).mode! & 0o777, 0o600);
  journal.close();
});

Deno.test("an append that the disk refuses is STATE_IO and leaves the file as it was", async () => {
  await using root = await testRoot();
  const script = new URL("./journal_process.ts", import.meta.url).pathname;
  // 4 blocks of 512 bytes. The signal that comes with the refusal would end the process.
  const { stdout, stderr } = await new Deno.Command("sh", {
    args: ["-c", 'trap "" XFSZ; ulimit -f 4; exec "$0" "$@"', Deno.execPath(), "run"].concat(
      ["--no-check", "--no-prompt", `--allow-read=${root.root}`, `--allow-write=${root.root}`],
      [script, root.root],
    ),
  }).output();
  const outcome = new TextDecoder().decode(stdout);
  assert.notEqual(outcome, "", new TextDecoder().decode(stderr));
  const { appended, code, message, inJournal } = JSON.parse(outcome);
  assert.equal(code, "STATE_IO");
  assert.match(message, /^Could not write .*\/data\/journal\/changes\.jsonl: /);
  assert.ok(appended > 5, `${appended} appends`);
  assert.equal(inJournal, appended);
  assert.equal(parseJournal(await root.text(PLACE), PATH).length, bytes(await root.text(PLACE)));
});
