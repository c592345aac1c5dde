/** `haproxy-mcp backup FILE`: all that the agent owns, as one tar archive. */
import { resolve } from "node:path";
import { Command } from "commander";
import { EXIT, type ExitCode } from "../supervisor/exit_code.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { withShell } from "../supervisor/shell.ts";
import { assertFree, STANDARD, writeArchive } from "./archive_file.ts";
import { backupText } from "./backup_text.ts";
import { addFlags, HAPROXY_FLAGS, settingsFrom } from "./flags.ts";
import { answering, type Finish, UsageError } from "./outcome.ts";
import { withSignals } from "./signals.ts";

interface BackupFlags {
  readonly withSecrets?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Waiting for the lock, and reading: audit logs are the most of it. */
const DEADLINE_MS = 120_000;

export function backupCommand(rooms: RoomEntries, finish: Finish): Command {
  return addFlags(new Command("backup"), HAPROXY_FLAGS)
    .description("write all that the agent owns into one tar file, as of one moment")
    .argument("<file>", "where to; - is stdout")
    .option("--with-secrets", "also private keys, tokens, and the CA's accounts")
    .option("--force", "replace the file if it exists")
    .option("--json", "print what was done as JSON")
    .addHelpText(
      "after",
      "\nExample: haproxy-mcp backup /var/backups/haproxy-mcp.tar --with-secrets",
    )
    .action(async (file: string, flags: BackupFlags) =>
      finish(await answering(flags, () => backup(file, flags, rooms)))
    );
}

async function backup(
  file: string,
  flags: BackupFlags,
  rooms: RoomEntries,
): Promise<ExitCode> {
  const { withSecrets: secrets = false, force = false, json } = flags;
  const toStdout = file === STANDARD;
  if (toStdout && json) throw new UsageError("With - stdout is the archive, and no JSON.");
  if (toStdout && Deno.stdout.isTerminal()) {
    throw new UsageError("stdout is a terminal: let it be a file, or name one.");
  }
  const archive = toStdout ? STANDARD : resolve(file);
  if (!toStdout && !force) await assertFree(archive);
  const settings = settingsFrom({ ...flags });
  const { content, ...made } = await withSignals((signal) =>
    withShell(
      settings,
      rooms,
      (shell) => shell.backup({ archive, secrets }, { signal, deadlineMs: DEADLINE_MS }),
    )
  );
  const done = { file: archive, size: content.length, secrets, ...made };
  if (!toStdout) await writeArchive(archive, content, force);
  else await new Blob([content]).stream().pipeTo(Deno.stdout.writable, { preventClose: true });
  const { leftOut, ...rest } = done;
  if (json) console.log(JSON.stringify({ ...rest, left_out: leftOut }));
  // What stands on stdout is the archive.
  else (toStdout ? console.error : console.log)(backupText(done));
  return EXIT.done;
}
