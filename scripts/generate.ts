/**
 * Writes what is generated from the tables of tools, resources, prompts, settings, commands and doctor's checks: the lists of
 * the README and of docs/, the man page, and what clients see of each tool in tests/tools/schemas, so that a change of it
 * shows in the diff.
 *
 * Usage: generate.ts [--check]   --check writes nothing, and fails where something is out of date.
 */
import project from "../deno.json" with { type: "json" };
import { manPage } from "../lib/cli/manual.ts";
import { commandLine } from "../lib/cli/mod.ts";
import { commandsOf, shapeOf } from "../lib/cli/shape.ts";
import { DESCRIBED } from "../lib/config/described.ts";
import { CHECKS } from "../lib/doctor/checks.ts";
import { PROMPTS } from "../lib/front/mcp/prompts.ts";
import { productRooms } from "../lib/supervisor/room.ts";
import { tools } from "../tools/mod.ts";
import { resources } from "../tools/resources.ts";
import { TOOL_GROUPS, type ToolDefinition } from "../lib/tool_definition.ts";
import { withPart } from "./lib/marked.ts";

const README = "README.md";
const TOOLS = "docs/tools.md";
const CLIENTS = "docs/clients.md";
const TROUBLESHOOTING = "docs/troubleshooting.md";
const SETTINGS = "docs/configuration.md";
const MAN_PAGE = "docs/haproxy-mcp.1";
const SCHEMAS = "tests/tools/schemas";

const definitions = tools.map(({ definition }) => definition);

/** The parameters as a call shows them: `domain`, `slot=0`. */
function parameters({ inputSchema }: ToolDefinition): string {
  const { properties = {}, required = [] } = inputSchema as {
    readonly properties?: Readonly<Record<string, { readonly default?: unknown }>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { default: fallback }]) => {
    if (fallback !== undefined) return `${name}=${JSON.stringify(fallback)}`;
    return required.includes(name) ? name : `[${name}]`;
  }).join(", ");
}

const named = (group: string) => `${group[0].toUpperCase()}${group.slice(1)}`;

const ofGroup = (group: string) => definitions.filter((definition) => definition.group === group);

function table(group: string): string {
  const rows = ofGroup(group).map((definition) =>
    `| ${definition.name} | ${definition.description} | ${parameters(definition)} |`
  );
  return `## ${named(group)}\n\n| tool | what it does | parameters |\n|---|---|---|\n${
    rows.join("\n")
  }\n`;
}

/** A line a group: what there is, at a glance. */
function overview(): string {
  const rows = TOOL_GROUPS.map((group) => {
    const names = ofGroup(group).map(({ name }) => name.replace("haproxy_", ""));
    return `| [${named(group)}](${TOOLS}#${group}) | ${names.join(", ")} |`;
  });
  return `${definitions.length} tools, each with the prefix haproxy_:\n\n| | |\n|---|---|\n${
    rows.join("\n")
  }\n`;
}

function resourceTable(): string {
  const rows = resources.map(({ definition }) => {
    const uri = "uri" in definition ? definition.uri : definition.uriTemplate;
    return `| \`${uri}\` | ${definition.description} |`;
  });
  return `| resource | what it says |\n|---|---|\n${rows.join("\n")}\n`;
}

function promptTable(): string {
  const rows = PROMPTS.map(({ name, description, arguments: given }) =>
    `| ${name} | ${description} | ${
      given.map(({ name, required }) => required ? name : `[${name}]`).join(", ")
    } |`
  );
  return `| prompt | what it is for | arguments |\n|---|---|---|\n${rows.join("\n")}\n`;
}

function checkTable(): string {
  const rows = CHECKS.map(({ name, group, looksFor }) => `| ${group} | ${name} | ${looksFor} |`);
  return `| group | check | looks for |\n|---|---|---|\n${rows.join("\n")}\n`;
}

function settingsTable(): string {
  const rows = DESCRIBED.map(({ names, fallback, says }) =>
    `| ${names.join(", ")} | ${fallback === "" ? "" : `${fallback} `}| ${says} |`
  );
  return `| variable | default | meaning |\n|---|---|---|\n${rows.join("\n")}\n`;
}

function manual(): string {
  const program = commandLine(productRooms, () => {});
  const line = { program: shapeOf(program), commands: commandsOf(program), tools: definitions };
  return manPage(line, project.version);
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const readme = await Deno.readTextFile(README);
const list = await Deno.readTextFile(TOOLS);
const clients = await Deno.readTextFile(CLIENTS);
const configuration = await Deno.readTextFile(SETTINGS);
const troubleshooting = await Deno.readTextFile(TROUBLESHOOTING);
const wanted = new Map([
  [README, withPart(README, readme, "tools", overview())],
  [TOOLS, withPart(TOOLS, list, "tools", TOOL_GROUPS.map(table).join("\n"))],
  [SETTINGS, withPart(SETTINGS, configuration, "settings", settingsTable())],
  [MAN_PAGE, manual()],
  [
    CLIENTS,
    withPart(
      CLIENTS,
      withPart(CLIENTS, clients, "resources", resourceTable()),
      "prompts",
      promptTable(),
    ),
  ],
  [TROUBLESHOOTING, withPart(TROUBLESHOOTING, troubleshooting, "checks", checkTable())],
  [`${SCHEMAS}/resources.json`, json(resources.map(({ definition }) => definition))],
  [`${SCHEMAS}/prompts.json`, json(PROMPTS.map(({ text: _, ...prompt }) => prompt))],
]);
for (const definition of definitions) {
  wanted.set(`${SCHEMAS}/${definition.name}.json`, json(definition));
}
await Deno.mkdir(SCHEMAS, { recursive: true });
const stale = (await Array.fromAsync(Deno.readDir(SCHEMAS)))
  .map(({ name }) => `${SCHEMAS}/${name}`).filter((path) => !wanted.has(path));

const outdated = stale.slice();
for (const [path, text] of wanted) {
  if (await Deno.readTextFile(path).catch(() => "") !== text) outdated.push(path);
}
if (Deno.args[0] === "--check") {
  for (const path of outdated) {
    console.error(
      `${path} is out of date: look at what changed for clients, then run scripts/generate.ts`,
    );
  }
  if (outdated.length > 0) Deno.exit(1);
} else {
  for (const path of stale) await Deno.remove(path);
  for (const [path, text] of wanted) await Deno.writeTextFile(path, text);
}
