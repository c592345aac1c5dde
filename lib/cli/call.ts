/** `haproxy-mcp call TOOL`: one tool from the shell, with or without a running `serve`. */
import { Command } from "commander";
import { AgentError } from "../errors.ts";
import type { Progress } from "../rpc/mod.ts";
import { EXIT, type ExitCode } from "../supervisor/exit_code.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { readDefinitions, withShell } from "../supervisor/shell.ts";
import type { ToolDefinition } from "../tool_definition.ts";
import { addFlags, HAPROXY_FLAGS, settingsFrom } from "./flags.ts";
import { exitCodeOf, type Finish, UsageError } from "./outcome.ts";
import { parseToolArguments } from "./tool_arguments.ts";
import { toolHelp } from "./tool_text.ts";

interface CallFlags {
  readonly args?: string;
  readonly json?: boolean;
  readonly help?: boolean;
}

export function callCommand(rooms: RoomEntries, finish: Finish): Command {
  const command = addFlags(new Command("call"), HAPROXY_FLAGS)
    .description("run one tool; its parameters are options, see `call TOOL --help`")
    .argument("[tool]", "a name that `haproxy-mcp tools` lists")
    .argument("[parameters...]", "--name value, for each parameter")
    .option("--args <json>", "parameters as a JSON object")
    .option("--json", "print the structured result, or the error, as JSON")
    .helpOption(false)
    .option("-h, --help", "show this help, or that of the tool")
    .allowUnknownOption()
    .addHelpText(
      "after",
      "\nExample: haproxy-mcp call haproxy_add_domain --domain example.com --ip 10.0.0.1",
    );
  return command.action(async (name: string | undefined, words: string[], flags: CallFlags) => {
    if (flags.help) {
      if (name === undefined) command.outputHelp();
      else console.log(toolHelp(findTool(name, await readDefinitions(rooms))));
      return finish(EXIT.done);
    }
    if (name === undefined) throw new UsageError("Which tool? `haproxy-mcp tools` lists them.");
    finish(await call(name, words, flags, rooms));
  });
}

async function call(
  name: string,
  words: readonly string[],
  flags: CallFlags,
  rooms: RoomEntries,
): Promise<ExitCode> {
  const cancel = new AbortController();
  const onSignal = () => cancel.abort(new DOMException("A signal came.", "AbortError"));
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  try {
    const result = await withShell(settingsFrom({ ...flags }), rooms, (shell) => {
      const definition = findTool(name, shell.definitions);
      const parsed = parseToolArguments(definition, words, flags.args);
      if (!parsed.ok) throw new UsageError(parsed.problem);
      return shell.call(definition.name, parsed.args, {
        signal: cancel.signal,
        deadlineMs: deadlineOf(definition, parsed.args),
        ...(Deno.stderr.isTerminal() && { onProgress: printProgress }),
      });
    });
    console.log(flags.json ? JSON.stringify(result.structured) : result.text);
    return EXIT.done;
  } catch (cause) {
    if (!flags.json || !(cause instanceof AgentError)) throw cause;
    console.log(JSON.stringify({ error: cause.toData() }));
    return exitCodeOf(cause);
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
  }
}

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

function findTool(name: string, definitions: readonly ToolDefinition[]): ToolDefinition {
  const found = definitions.find((definition) => definition.name === name) ??
    definitions.find((definition) => definition.name === `haproxy_${name.replaceAll("-", "_")}`);
  if (!found) {
    throw new UsageError(
      `There is no tool ${JSON.stringify(name)}. \`haproxy-mcp tools\` lists them.`,
    );
  }
  return found;
}

/** What the definition says; for tools that wait as long as they are told, that and 5 s. */
function deadlineOf(
  { deadlineMs, deadlineFromTimeout }: ToolDefinition,
  args: Readonly<Record<string, unknown>>,
): number {
  const asked = deadlineFromTimeout && typeof args.timeout === "number" ? args.timeout : undefined;
  return asked === undefined ? deadlineMs : asked * 1_000 + 5_000;
}

function printProgress({ progress, total, message }: Progress): void {
  console.error(message ?? (total === undefined ? String(progress) : `${progress} of ${total}`));
}
