/** The command line as data, for what describes it: completions and the man page. Commander's own help is the source. */
import type { Command, Help, Option } from "commander";

export interface OptionShape {
  /** `--root <dir>`, `-h, --help`. */
  readonly flags: string;
  /** `--root`. */
  readonly long: string;
  readonly short?: string;
  /** What it takes: the word in its brackets; undefined where it takes nothing. */
  readonly takes?: string;
  readonly choices: readonly string[];
  readonly description: string;
}

export interface OperandShape {
  readonly name: string;
  readonly choices: readonly string[];
  readonly description: string;
}

export interface CommandShape {
  readonly name: string;
  readonly aliases: readonly string[];
  /** `haproxy-mcp backup [options] <file>`. */
  readonly usage: string;
  readonly description: string;
  readonly options: readonly OptionShape[];
  readonly operands: readonly OperandShape[];
  /** What stands behind `Example:` in its help. */
  readonly example: string;
}

/** The program itself. */
export const shapeOf = (program: Command): CommandShape => describe(program, program.createHelp());

/** What it can be told to do; what is hidden is left out. */
export function commandsOf(program: Command): CommandShape[] {
  const help = program.createHelp();
  return help.visibleCommands(program).filter((command) => command.name() !== "help")
    .map((command) => describe(command, help));
}

function describe(command: Command, help: Help): CommandShape {
  return {
    name: command.name(),
    aliases: command.aliases(),
    usage: help.commandUsage(command),
    description: help.commandDescription(command),
    options: help.visibleOptions(command).map(describeOption),
    operands: command.registeredArguments.map((operand) => ({
      name: operand.name(),
      choices: operand.argChoices ?? [],
      description: operand.description,
    })),
    example: exampleOf(command),
  };
}

function describeOption({ flags, long, short, argChoices, description }: Option): OptionShape {
  const [, takes] = /[<[]([^>\]]+)[>\]]/.exec(flags) ?? [];
  return {
    flags,
    long: long ?? short ?? flags,
    ...(long && short && { short }),
    ...(takes && { takes }),
    choices: argChoices ?? [],
    description,
  };
}

/** Commander keeps what follows a help to itself, so it is asked to print it. */
function exampleOf(command: Command): string {
  let printed = "";
  const before = command.configureOutput();
  command.configureOutput({ ...before, writeOut: (text) => void (printed += text) });
  command.outputHelp();
  command.configureOutput(before);
  return /^Example: (.*)$/m.exec(printed)?.[1] ?? "";
}
