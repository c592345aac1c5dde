/** `haproxy-mcp completions SHELL`: the script for a shell; and `complete`, which that script asks. */
import { Argument, Command } from "commander";
import type { Settings } from "../config.ts";
import { EXIT } from "../supervisor/exit_code.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { readDefinitions, withShell } from "../supervisor/shell.ts";
import { type Candidate, type Candidates, candidatesFor } from "./candidates.ts";
import { SCRIPTS, type Shell, SHELLS } from "./completion_scripts.ts";
import { asAgent } from "./hand_over.ts";
import type { Finish } from "./outcome.ts";
import { commandsOf, shapeOf } from "./shape.ts";

export function completionsCommand(finish: Finish): Command {
  return new Command("completions")
    .description("print the script that lets a shell complete commands, tools, options and domains")
    .addArgument(new Argument("<shell>", "which one").choices(SHELLS))
    .addHelpText(
      "after",
      "\nExample: haproxy-mcp completions bash >/etc/bash_completion.d/haproxy-mcp",
    )
    .action((shell: Shell) => {
      console.log(SCRIPTS[shell].trimEnd());
      finish(EXIT.done);
    });
}

/** Not in any help: the scripts ask it. Whatever fails, it is silent, as it would be in the midst of a command line. */
export function completeCommand(rooms: RoomEntries, finish: Finish): Command {
  return new Command("complete")
    .description("what may stand at the end of a command line")
    .argument("[words...]", "those behind the program's name; the last one is being typed")
    .addHelpText("after", "\nExample: haproxy-mcp complete -- call haproxy_add")
    .action(async (words: readonly string[], _flags: unknown, { parent }: Command) => {
      await answer(parent!, words, rooms).catch(() => {});
      finish(EXIT.done);
    });
}

async function answer(
  program: Command,
  typed: readonly string[],
  rooms: RoomEntries,
): Promise<void> {
  const found = candidatesFor({
    program: shapeOf(program),
    commands: commandsOf(program),
    // To read them takes a moment.
    tools: typed[0] === "call" ? await readDefinitions(rooms) : [],
  }, typed);
  if (found.kind === "files" || found.kind === "folders") return console.log(`:${found.kind}`);
  if (found.kind === "words") return console.log(shown(found.words));
  await asAgent(found.flags, async (settings) => {
    console.log(shown(await ask(found, settings, rooms)));
    return EXIT.done;
  });
}

const shown = (words: readonly Candidate[]): string =>
  [":words", ...words.map(({ value, about }) => `${value}\t${firstSentence(about)}`)].join("\n");

async function ask(
  { question, before }: Extract<Candidates, { readonly kind: "ask" }>,
  settings: Settings,
  rooms: RoomEntries,
): Promise<Candidate[]> {
  const quiet = { ...settings, logging: { ...settings.logging, level: "ERROR" } } as const;
  const { values } = await withShell(quiet, rooms, (shell) => shell.complete(question));
  // Those that begin otherwise a shell would not take: *.example.com for example.com.
  return values.filter((value) => value.startsWith(question.value))
    .map((value) => ({ value: before + value, about: "" }));
}

const firstSentence = (text: string): string =>
  text.replaceAll(/\s+/g, " ").split(/(?<=[.;:]) /)[0].replace(/[.;:]$/, "");
