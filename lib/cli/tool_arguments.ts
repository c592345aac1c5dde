/** `--name value` pairs of a shell line → a tool's arguments, typed by its input schema. */
import type { ToolDefinition } from "../tool_definition.ts";

export type ToolArguments =
  | { readonly ok: true; readonly args: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly problem: string };

export interface Parameter {
  readonly name: string;
  /** JSON Schema's names of the types it takes. */
  readonly types: readonly string[];
  readonly required: boolean;
  readonly description: string;
  /** As JSON; undefined where there is none. */
  readonly fallback?: string;
  readonly choices: readonly string[];
}

interface Schema {
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly default?: unknown;
}

export function parametersOf({ inputSchema }: ToolDefinition): Parameter[] {
  const properties = (inputSchema.properties ?? {}) as Record<string, Schema>;
  const required = (inputSchema.required ?? []) as readonly string[];
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    types: typesOf(schema),
    required: required.includes(name),
    description: schema.description ?? "",
    choices: (schema.enum ?? []).map(String),
    ...(schema.default !== undefined && { fallback: JSON.stringify(schema.default) }),
  }));
}

/**
 * Dashes and underscores in names are the same; a boolean may stand alone. A value that does not fit
 * its type is passed on as text: the tool refuses it, in its own words.
 *
 * @param given the words after the tool's name
 * @param json the value of --args: an object that the pairs add to
 */
export function parseToolArguments(
  definition: ToolDefinition,
  given: readonly string[],
  json = "{}",
): ToolArguments {
  const parameters = new Map(
    parametersOf(definition).map((parameter) => [parameter.name, parameter]),
  );
  const names = [...parameters.keys()].map(optionName).join(", ");
  const problem = (text: string) => ({ ok: false, problem: text }) as const;

  const base = parseJson(json);
  if (typeof base !== "object" || base === null || Array.isArray(base)) {
    return problem(`--args takes a JSON object, such as '{"domain":"example.com"}'.`);
  }
  const args: Record<string, unknown> = { ...base };
  const words = [...given];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const [, spelled, inline] = /^--([A-Za-z][\w-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (spelled === undefined) return problem(`${JSON.stringify(word)} belongs to no parameter.`);
    const name = spelled.replaceAll("-", "_");
    const parameter = parameters.get(name);
    if (!parameter) {
      return problem(
        `${definition.name} has no parameter --${spelled}. It takes ${names || "none"}.`,
      );
    }
    if (Object.hasOwn(args, name)) return problem(`${optionName(name)} is given twice.`);
    const text = inline ?? takeValue(parameter, words);
    if (text === undefined) return problem(`${optionName(name)} needs a value.`);
    args[name] = typed(parameter, text);
  }
  return { ok: true, args };
}

export const optionName = (parameter: string) => `--${parameter.replaceAll("_", "-")}`;

/** Takes the parameter's value from the front of `words`; a boolean needs none. */
function takeValue({ types }: Parameter, words: string[]): string | undefined {
  const isFlag = types.includes("boolean") && words[0] !== "true" && words[0] !== "false";
  return isFlag ? "true" : words.shift();
}

function typed({ types }: Parameter, text: string): unknown {
  if (types.includes("string")) return text;
  if (types.includes("boolean") && (text === "true" || text === "false")) return text === "true";
  const isNumber = types.includes("integer") || types.includes("number");
  if (isNumber && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (types.includes("array") || types.includes("object")) return parseJson(text) ?? text;
  return text;
}

function typesOf({ type, anyOf = [], enum: choices = [] }: Schema): string[] {
  const own = type === undefined ? [] : [type].flat();
  const ofChoices = own.length > 0 ? [] : choices.map((choice) => typeof choice);
  return [...new Set([...own, ...ofChoices, ...anyOf.flatMap(typesOf)])];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
