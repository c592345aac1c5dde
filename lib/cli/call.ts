/** `haproxy-mcp call TOOL`: one tool from the shell, with or without a running `serve`. */
import { Command } from "commander";
import { AgentError } from "../errors.ts";
import type { Progress } from "../rpc/mod.ts";
import { EXIT } from "../supervisor/exit_code.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { callTool, readDefinitions } from "../supervisor/shell.ts";
import type { ToolDefinition } from "../tool_definition.ts";
import { addFlags, HAPROXY_FLAGS, settingsFrom } from "./flags.ts";
import type { Finish } from "./mod.ts";
import { outcomeOf, UsageError } from "./outcome.ts";
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
    if (name === undefined) {
      if (!flags.help) throw new UsageError("Which tool? `haproxy-mcp tools` lists them.");
      command.outputHelp();
      return finish(EXIT.done);
    }
    const definition = findTool(name, await readDefinitions(rooms));
    if (flags.help) {
      console.log(toolHelp(definition));
      return finish(EXIT.done);
    }
    const parsed = parseToolArguments(definition, words, flags.args);
    if (!parsed.ok) throw new UsageError(parsed.problem);
    finish(await call(definition, parsed.args, flags, rooms));
  });
}

async function call(
  definition: ToolDefinition,
  args: Readonly<Record<string, unknown>>,
  flags: CallFlags,
  rooms: RoomEntries,
): Promise<typeof EXIT[keyof typeof EXIT]> {
  const cancel = new AbortController();
  const onSignal = () => cancel.abort(new DOMException("A signal came.", "AbortError"));
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  try {
    const options = {
      signal: cancel.signal,
      deadlineMs: deadlineOf(definition, args),
      ...(Deno.stderr.isTerminal() && { onProgress: printProgress }),
    };
    const result = await callTool(
      settingsFrom({ ...flags }),
      definition.name,
      args,
      options,
      rooms,
    );
    console.log(flags.json ? JSON.stringify(result.structured) : result.text);
    return EXIT.done;
  } catch (cause) {
    if (!flags.json || !(cause instanceof AgentError)) throw cause;
    console.log(JSON.stringify({ error: cause.toData() }));
    return outcomeOf(cause).exitCode;
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
