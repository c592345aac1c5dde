/** `haproxy-mcp restore FILE`: what `backup` has written is put back in place, as one change. */
import { resolve } from "node:path";
import { Command } from "commander";
import { EXIT, type ExitCode } from "../supervisor/exit_code.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { type Shell, withShell } from "../supervisor/shell.ts";
import type { Confirm } from "../config.ts";
import { readArchive, STANDARD } from "./archive_file.ts";
import { restoreText } from "./backup_text.ts";
import { addFlags, HAPROXY_FLAGS, settingsFrom } from "./flags.ts";
import { agentBeside } from "./hand_over.ts";
import { answering, type Finish } from "./outcome.ts";
import { paintChange } from "./paint.ts";
import { canAsk, isAgreed } from "./question.ts";
import { withSignals } from "./signals.ts";
import { harmless, terminalOf } from "./terminal.ts";

interface RestoreFlags {
  readonly dryRun?: boolean;
  readonly confirm?: boolean;
  readonly withoutCertificates?: boolean;
  readonly offline?: boolean;
  readonly json?: boolean;
}

/** Thousands of certificates may have to be sent. */
const DEADLINE_MS = 180_000;

export function restoreCommand(rooms: RoomEntries, finish: Finish): Command {
  return addFlags(new Command("restore"), HAPROXY_FLAGS)
    .description("put back what `backup` wrote, all or none of it, and bring HAProxy in line")
    .argument("<file>", "what `backup` wrote; - is stdin")
    .option("--dry-run", "check everything and show what would change")
    .option("--confirm", "ask nobody; needed in scripts where MCP_CONFIRM=require")
    .option("--without-certificates", "leave certificates, their lists and accounts as they are")
    .option("--offline", "HAProxy is down, and reads the files at its next start")
    .option("--json", "print what was done, or the error, as JSON")
    .addHelpText(
      "after",
      "\nExample: haproxy-mcp restore /var/backups/haproxy-mcp.tar --dry-run",
    )
    .action(async (file: string, flags: RestoreFlags) =>
      finish(await answering(flags, () => restore(file, flags, rooms)))
    );
}

async function restore(
  file: string,
  flags: RestoreFlags,
  rooms: RoomEntries,
): Promise<ExitCode> {
  const settings = settingsFrom({ ...flags });
  const archive = file === STANDARD ? "stdin" : resolve(file);
  const { content, uid } = await readArchive(file === STANDARD ? file : archive);
  const agent = await agentBeside(settings);
  const wish = {
    archive,
    content,
    dryRun: flags.dryRun ?? false,
    offline: flags.offline ?? false,
    withoutCertificates: flags.withoutCertificates ?? false,
    withoutRoots: agent !== undefined && uid === agent.uid,
    confirmed: flags.confirm ?? false,
  };
  const answer = await withSignals((signal) =>
    withShell(settings, rooms, async (shell) => {
      const options = { signal, deadlineMs: DEADLINE_MS };
      const asks = !flags.json && settings.confirm;
      const verdict = await verdictOf(shell, wish, asks, options);
      return await shell.restore({ ...wish, ...verdict && { verdict } }, options);
    })
  );
  const { dryRun } = wish;
  if (flags.json) console.log(JSON.stringify({ file: archive, dry_run: dryRun, ...answer }));
  else console.log(shown(restoreText({ archive, dryRun, ...answer })));
  return EXIT.done;
}

/** Lines that go and come have their colours at a terminal. */
function shown(text: string): string {
  const terminal = terminalOf(Deno.stdout);
  if (!terminal) return text;
  const lines = harmless(text).split("\n");
  return lines.map(terminal.colours ? paintChange : (line) => line).join("\n");
}

type Wish = Parameters<Shell["restore"]>[0];

/** What the person at the terminal says; undefined where nobody is to be asked. */
async function verdictOf(
  shell: Shell,
  wish: Wish,
  asks: Confirm | false,
  options: { readonly signal: AbortSignal },
): Promise<"accepted" | "declined" | undefined> {
  const terminal = terminalOf(Deno.stdout);
  const isFree = !asks || asks === "off" || !terminal || !canAsk() || wish.confirmed || wish.dryRun;
  if (isFree) return undefined;
  const answer = await shell.restore({ ...wish, dryRun: true, verdict: "preview" }, options);
  const preview = restoreText({ archive: wish.archive, dryRun: true, ...answer });
  const question = { title: "Restore it", preview, terminal, signal: options.signal };
  return await isAgreed(question) ? "accepted" : "declined";
}
