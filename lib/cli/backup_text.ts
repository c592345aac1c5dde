/** What backup and restore tell a person. */
import { counted } from "../counted.ts";
import type { BackupAnswer, RestoreAnswer } from "../supervisor/shell.ts";

export function backupText(
  { file, size, secrets, at, files, leftOut, problem }: Omit<BackupAnswer, "content"> & {
    readonly file: string;
    readonly size: number;
    readonly secrets: boolean;
  },
): string {
  const where = file === "-" ? "to stdout" : file;
  const what = secrets
    ? "Private keys and tokens are in it: keep it as safe as those."
    : "Without private keys and tokens: --with-secrets takes them, too.";
  return [
    `Wrote ${where}: ${counted(files.length, "file")}, ${size} bytes, as of ${at}.`,
    what,
    ...leftOut.map((clause) => `Not in it: ${clause}.`),
    ...problem === undefined ? [] : [`Warning: as it is, it can't be restored here: ${problem}`],
  ].join("\n");
}

/** A secret's content is never among the lines. */
export function restoreText(
  answer: RestoreAnswer & { readonly archive: string; readonly dryRun: boolean },
): string {
  const { archive, dryRun, at, files, kept, unlisted } = answer;
  const from = `${archive}, of ${at}`;
  const left = [
    ...kept.map((clause) => `Not put back: ${clause}.`),
    ...unlisted.length > 0
      ? [`Served until HAProxy's next reload, as no list names them then: ${unlisted.join(", ")}.`]
      : [],
  ];
  if (dryRun) {
    const lines = files.filter(({ lines }) => lines.length > 0).flatMap(({ file, lines }) => [
      `${file}:`,
      ...atMost(lines).map((line) => `  ${line}`),
    ]);
    const what = files.length === 0
      ? `Nothing would change: the files are those of ${from}.`
      : `It would be: ${counted(files.length, "file")} from ${from}.`;
    return [`Dry run, nothing was changed. ${what}`, ...lines, ...left].join("\n");
  }
  const done = files.length === 0
    ? `Nothing to restore: the files are those of ${from}.`
    : `Restored ${counted(files.length, "file")} from ${from}: ${
      files.map(({ file, gone }) => gone ? `${file} (gone)` : file).join(", ")
    }.`;
  const before = answer.before === undefined
    ? []
    : [`What was there is kept, secrets included: haproxy-mcp restore ${answer.before}`];
  return [done, haproxyText(answer), ...next(files), ...left, ...before].join("\n");
}

function haproxyText({ haproxy }: RestoreAnswer): string {
  if (!haproxy) return "HAProxy was not asked: it reads the files at its next start.";
  const { changed, unchanged } = haproxy;
  return changed === "nothing"
    ? `HAProxy holds what the files say: ${unchanged} domains, servers and certificates.`
    : `HAProxy was brought in line: ${changed}; ${unchanged} were right.`;
}

/** What does not act by itself. */
function next(files: RestoreAnswer["files"]): string[] {
  const isAmong = (name: string) => files.some(({ file }) => file.endsWith(name));
  return [
    ...isAmong("haproxy.cfg")
      ? ["haproxy.cfg is another one: check it (haproxy_check_config), then haproxy_reload."]
      : [],
    ...isAmong("conf/haproxy-mcp.env")
      ? ["conf/haproxy-mcp.env is another one: start `serve` again."]
      : [],
  ];
}

const MAX_LINES = 100;

function atMost(lines: readonly string[]): string[] {
  const more = lines.length - MAX_LINES;
  return more > 0 ? [...lines.slice(0, MAX_LINES), `… and ${more} more`] : [...lines];
}
