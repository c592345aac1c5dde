/** `haproxy-mcp call TOOL`: one tool from the shell, with or without a running `serve`. */
import { Command } from "commander";
import type { Confirm, Settings } from "../config.ts";
import type { CallOptions } from "../rpc/mod.ts";
import { EXIT, type ExitCode } from "../supervisor/exit_code.ts";
import type { RoomEntries } from "../supervisor/room.ts";
import { readDefinitions, type Shell, withShell } from "../supervisor/shell.ts";
import { type ToolDefinition, type ToolResult, wantsConfirmation } from "../tool_definition.ts";
import { answerText } from "./answer_text.ts";
import { addFlags, HAPROXY_FLAGS } from "./flags.ts";
import { asAgent } from "./hand_over.ts";
import { answering, type Finish, UsageError } from "./outcome.ts";
import { progressLine } from "./progress.ts";
import { canAsk, isAgreed } from "./question.ts";
import { withSignals } from "./signals.ts";
import { terminalOf } from "./terminal.ts";
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
    finish(await asAgent({ ...flags }, (settings) => call(name, words, flags, settings, rooms)));
  });
}

async function call(
  name: string,
  words: readonly string[],
  flags: CallFlags,
  settings: Settings,
  rooms: RoomEntries,
): Promise<ExitCode> {
  return await answering(flags, async () => {
    const result = await withSignals((signal) =>
      withShell(settings, rooms, (shell) => {
        const definition = findTool(name, shell.definitions);
        const parsed = parseToolArguments(definition, words, flags.args);
        if (!parsed.ok) throw new UsageError(parsed.problem);
        const asks = !flags.json && settings.confirm;
        return callTool(shell, { definition, args: parsed.args, signal, asks });
      })
    );
    const terminal = terminalOf(Deno.stdout);
    if (flags.json) console.log(JSON.stringify(result.structured));
    else console.log(terminal ? answerText(result, terminal) : result.text);
    return EXIT.done;
  });
}

interface ToolCallWish {
  readonly definition: ToolDefinition;
  readonly args: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  /** When a person is asked first; false: never. */
  readonly asks: Confirm | false;
}

async function callTool(shell: Shell, wish: ToolCallWish): Promise<ToolResult> {
  const { definition, args, signal } = wish;
  const screen = terminalOf(Deno.stderr);
  const progress = screen && progressLine(screen, writeToStderr);
  const options: CallOptions = {
    signal,
    deadlineMs: deadlineOf(definition, args),
    ...progress && { onProgress: progress.show },
  };
  try {
    const verdict = await verdictOf(shell, wish, options);
    return await shell.call(definition.name, args, { ...options, ...verdict && { verdict } });
  } finally {
    progress?.end();
  }
}

/** What the person at the terminal says; undefined where nobody is to be asked. */
async function verdictOf(
  shell: Shell,
  { definition, args, asks, signal }: ToolCallWish,
  options: CallOptions,
): Promise<"accepted" | "declined" | undefined> {
  const terminal = terminalOf(Deno.stdout);
  const isFree = !asks || asks === "off" || !wantsConfirmation(definition) || !terminal ||
    !canAsk() || args.confirm === true || args.dry_run === true;
  if (isFree) return undefined;
  const preview = await shell.call(definition.name, { ...args, dry_run: true }, {
    ...options,
    verdict: "preview",
  });
  const question = { title: definition.title, preview: preview.text, terminal, signal };
  return await isAgreed(question) ? "accepted" : "declined";
}

function findTool(name: string, definitions: readonly ToolDefinition[]): ToolDefinition {
  const plain = name.replaceAll("-", "_");
  const found = definitions.find(({ name }) => name === plain || name === `haproxy_${plain}`);
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

const writeToStderr = (text: string) => void Deno.stderr.writeSync(new TextEncoder().encode(text));
