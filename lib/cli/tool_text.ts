/** Tools as text for a terminal: the table of `tools`, and the help of one. */
import { TOOL_GROUPS, type ToolDefinition } from "../tool_definition.ts";
import { optionName, type Parameter, parametersOf } from "./tool_arguments.ts";

/** One line a tool, by group in the README's order. */
export function toolTable(definitions: readonly ToolDefinition[]): string {
  const width = Math.max(0, ...definitions.map(({ name }) => name.length));
  const groups = TOOL_GROUPS.map((group) => {
    const tools = definitions.filter((definition) => definition.group === group);
    const lines = tools.map(({ name, title }) => `  ${name.padEnd(width)}  ${title}`);
    return tools.length > 0 ? [group, ...lines].join("\n") : "";
  });
  return groups.filter(Boolean).join("\n\n");
}

export function toolHelp(definition: ToolDefinition): string {
  const parameters = parametersOf(definition);
  const usages = parameters.map(usage);
  const width = Math.max(0, ...usages.map(({ length }) => length));
  const lines = parameters.map((parameter, i) =>
    `  ${usages[i].padEnd(width)}  ${explanation(parameter)}`.trimEnd()
  );
  const example = parameters.filter(({ required }) => required).map(usage).join(" ");
  return [
    `${definition.title} (${definition.name})`,
    "",
    definition.description,
    "",
    "Parameters:",
    ...(lines.length > 0 ? lines : ["  none"]),
    "",
    `Example: haproxy-mcp call ${definition.name} ${example}`.trimEnd(),
  ].join("\n");
}

function usage({ name, types, choices }: Parameter): string {
  if (types.includes("boolean")) return optionName(name);
  return `${optionName(name)} ${choices.length > 0 ? choices.join("|") : `<${types.join("|")}>`}`;
}

function explanation({ description, required, fallback }: Parameter): string {
  const note = required ? " (required)" : fallback === undefined ? "" : ` (default ${fallback})`;
  return `${description}${note}`.trim();
}
