/** What may stand where somebody types: commands, options, tools, their parameters and values. Pure. */
import type { CompletionQuestion } from "../resource_definition.ts";
import type { ToolDefinition } from "../tool_definition.ts";
import type { CommandShape, OperandShape, OptionShape } from "./shape.ts";
import { optionName, type Parameter, parametersOf } from "./tool_arguments.ts";

export interface Candidate {
  readonly value: string;
  readonly about: string;
}

export type Candidates =
  | { readonly kind: "words"; readonly words: readonly Candidate[] }
  /** The shell itself knows these best. */
  | { readonly kind: "files" }
  | { readonly kind: "folders" }
  /** What HAPROXY_ROOT knows. */
  | {
    readonly kind: "ask";
    readonly question: CompletionQuestion;
    /** Stands before each answer: `--domain=`. */
    readonly before: string;
    /** Options that say where to ask, by Commander's names: `root`, `haproxyPort`. */
    readonly flags: Readonly<Record<string, string>>;
  };

export interface CommandLine {
  readonly program: CommandShape;
  readonly commands: readonly CommandShape[];
  readonly tools: readonly ToolDefinition[];
}

/** Parameters that name what exists, by what they are called where that is asked for. */
const ASKED: Readonly<Record<string, string>> = {
  domain: "domain",
  share_with: "domain",
  backend: "backend",
  slot: "slot",
};

const NOTHING: Candidates = { kind: "words", words: [] };

/** @param typed the words behind the program's name; the last one, which may be empty, is still being typed */
export function candidatesFor(line: CommandLine, typed: readonly string[]): Candidates {
  const [name = "", ...rest] = typed;
  if (rest.length === 0) return beginning(line, name);
  const command = line.commands.find(({ name: own, aliases }) =>
    own === name || aliases.includes(name)
  );
  if (!command) return NOTHING;
  const current = rest[rest.length - 1];
  const before = rest.slice(0, -1);
  const read = readWords(before, command, line.tools);
  const { tool, waiting, operands, given } = read;
  const parameters = tool ? parametersOf(tool) : [];

  if (waiting !== undefined) return valueOf(waiting, current, "");
  const [, option, value] = /^(--[^=]+)=(.*)$/s.exec(current) ?? [];
  if (option !== undefined) {
    const known = find(option, command, parameters);
    return known ? valueOf(known, value, `${option}=`) : NOTHING;
  }
  const operand = tool ? undefined : command.operands[operands];
  if (current.startsWith("-") || operand === undefined) return options();
  return operandValue(operand);

  function valueOf(asked: Takes, text: string, prefix: string): Candidates {
    const { choices, takes, parameter } = asked;
    if (choices.length > 0) {
      const found = choices.filter((choice) => choice.startsWith(text));
      return words(found.map((choice) => ({ value: prefix + choice, about: "" })));
    }
    if (takes === "dir") return { kind: "folders" };
    if (takes === "file") return { kind: "files" };
    const argument = parameter && ASKED[parameter];
    if (!argument) return NOTHING;
    const question = { argument, value: text, given: read.given };
    return { kind: "ask", question, before: prefix, flags: read.flags };
  }

  function options(): Candidates {
    const own = parameters.filter(({ name }) => !Object.hasOwn(given, name)).map(
      ({ name, description }) => ({ value: optionName(name), about: description }),
    );
    const others = command!.options.filter(({ long, short }) =>
      !before.includes(long) && !(short && before.includes(short))
    ).map(({ long, description }) => ({ value: long, about: description }));
    return words([...own, ...others].filter(({ value }) => value.startsWith(current)));
  }

  function operandValue({ name, choices }: OperandShape): Candidates {
    if (name === "tool") return words(toolNames(line.tools, current));
    if (name === "file") return { kind: "files" };
    const found = choices.filter((choice) => choice.startsWith(current));
    return words(found.map((value) => ({ value, about: "" })));
  }
}

const words = (found: readonly Candidate[]): Candidates => ({ kind: "words", words: found });

function beginning({ program, commands }: CommandLine, current: string): Candidates {
  const all = current.startsWith("-")
    ? program.options.map(({ long, description }) => ({ value: long, about: description }))
    : commands.map(({ name, description }) => ({ value: name, about: description }));
  return words(all.filter(({ value }) => value.startsWith(current)));
}

const PREFIX = "haproxy_";

/** `call` takes them without their common beginning, too. */
function toolNames(tools: readonly ToolDefinition[], current: string): Candidate[] {
  const isShort = current !== "" && !PREFIX.startsWith(current.slice(0, PREFIX.length));
  return tools.map(({ name, title }) => ({
    value: isShort && name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name,
    about: title,
  })).filter(({ value }) => value.startsWith(current));
}

/** An option or a parameter that a value belongs to. */
interface Takes {
  readonly choices: readonly string[];
  /** The word in an option's brackets. */
  readonly takes?: string;
  /** A parameter's name. */
  readonly parameter?: string;
}

interface ReadWords {
  readonly tool?: ToolDefinition;
  /** Its value comes next. */
  readonly waiting?: Takes;
  /** How many there are that are no options. */
  readonly operands: number;
  /** The tool's arguments so far, as text. */
  readonly given: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, string>>;
}

function readWords(
  typed: readonly string[],
  command: CommandShape,
  tools: readonly ToolDefinition[],
): ReadWords {
  const given: Record<string, string> = {};
  const flags: Record<string, string> = {};
  let tool: ToolDefinition | undefined;
  let operands = 0;
  const left = [...typed];
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    if (!word.startsWith("-")) {
      operands++;
      const name = word.replaceAll("-", "_");
      if (command.operands[0]?.name === "tool") {
        tool ??= tools.find((each) => each.name === name || each.name === `${PREFIX}${name}`);
      }
      continue;
    }
    const [, name, inline] = /^(-[^=]*)(?:=(.*))?$/s.exec(word)!;
    const known = find(name, command, tool ? parametersOf(tool) : []);
    const needsValue = known !== undefined && inline === undefined && !known.isFlag;
    if (needsValue && left.length === 0) return { tool, waiting: known, operands, given, flags };
    const value = inline ?? (needsValue ? left.shift()! : "true");
    if (known?.parameter !== undefined) given[known.parameter] = value;
    else if (known !== undefined) flags[camelCased(name)] = value;
  }
  return { tool, operands, given, flags };
}

function find(
  name: string,
  command: CommandShape,
  parameters: readonly Parameter[],
): (Takes & { readonly isFlag: boolean }) | undefined {
  const parameter = parameters.find((each) => optionName(each.name) === name.replaceAll("_", "-"));
  if (parameter) {
    const isFlag = parameter.types.includes("boolean");
    const choices = isFlag ? ["true", "false"] : parameter.choices;
    return { choices, parameter: parameter.name, isFlag };
  }
  const option: OptionShape | undefined = command.options.find(({ long, short }) =>
    long === name || short === name
  );
  if (!option) return undefined;
  const { choices, takes } = option;
  return { choices, ...(takes && { takes }), isFlag: takes === undefined };
}

/** Commander's name of an option: `--haproxy-port` is `haproxyPort`. */
const camelCased = (option: string) =>
  option.replace(/^-+/, "").replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
