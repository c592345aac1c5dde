/** The command line: reads it, runs one command, answers the exit code. */
import { Command, CommanderError } from "commander";
import { EXIT, type ExitCode } from "../supervisor/exit_code.ts";
import { productRooms, type RoomEntries } from "../supervisor/room.ts";
import { backupCommand } from "./backup.ts";
import { callCommand } from "./call.ts";
import { completeCommand, completionsCommand } from "./completions.ts";
import { doctorCommand } from "./doctor.ts";
import { initCommand } from "./init.ts";
import { licencesCommand } from "./licences.ts";
import { manCommand } from "./man.ts";
import { complaintText, type Finish, outcomeOf } from "./outcome.ts";
import { restoreCommand } from "./restore.ts";
import { serveCommand } from "./serve.ts";
import { stdioCommand } from "./stdio.ts";
import { terminalOf } from "./terminal.ts";
import { toolsCommand } from "./tools.ts";
import { versionText } from "./version.ts";

/**
 * Runs one command line.
 *
 * @param args without the program's name
 * @param rooms where the rooms' code lies; tests bring their own
 */
export async function run(args: readonly string[], rooms = productRooms): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.done;
  const program = commandLine(rooms, (code) => exitCode = code);
  endOnLooseErrors();
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (cause) {
    const outcome = outcomeOf(cause);
    if (outcome.complaint) {
      console.error(complaintText(outcome.complaint, terminalOf(Deno.stderr)));
    }
    return outcome.exitCode;
  }
}

/** All commands, with their helps. */
export function commandLine(rooms: RoomEntries, finish: Finish): Command {
  const program = new Command("haproxy-mcp")
    .description(
      "Changes HAProxy while it serves: domains, servers, weights, drains, certificates. No reload.",
    )
    .option(
      "-V, --version",
      "print the version, the commit that it was made of, and Deno's version",
    )
    .on("option:version", () => {
      console.log(versionText());
      throw new CommanderError(EXIT.done, "commander.version", "");
    })
    .addHelpText("after", "\nExample: haproxy-mcp call haproxy_list_domains")
    .configureOutput({
      // Colours would be asked of the environment; the texts have none.
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      // As all that we print: a reader that has enough (`| head`) is no fault.
      writeOut: (text) => console.log(text.trimEnd()),
      writeErr: (text) => console.error(text.trimEnd()),
    })
    .exitOverride();
  const commands = [
    serveCommand(rooms, finish),
    stdioCommand(rooms, finish),
    callCommand(rooms, finish),
    toolsCommand(rooms, finish),
    doctorCommand(rooms, finish),
    initCommand(),
    backupCommand(rooms, finish),
    restoreCommand(rooms, finish),
    completionsCommand(finish),
    manCommand(rooms, finish),
    licencesCommand(),
  ];
  for (const command of commands) program.addCommand(command.copyInheritedSettings(program));
  // The scripts of `completions` ask it; no person does.
  const complete = completeCommand(rooms, finish).copyInheritedSettings(program);
  return program.addCommand(complete, { hidden: true });
}

/** What no caller of ours caught: systemd starts `serve` again, with a clean process. */
function endOnLooseErrors(): void {
  const end = (cause: unknown) => {
    console.error(`haproxy-mcp: ${cause instanceof Error ? cause.stack : cause}`);
    Deno.exit(EXIT.internal);
  };
  globalThis.addEventListener("error", (event) => end(event.error));
  globalThis.addEventListener("unhandledrejection", (event) => end(event.reason));
}
