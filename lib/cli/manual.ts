/** The man page haproxy-mcp(1), in roff (man(7)): made from the commands' own help and the tables of tools and settings. */
import { DESCRIBED } from "../config/described.ts";
import { TOOL_GROUPS, type ToolDefinition } from "../tool_definition.ts";
import type { CommandLine } from "./candidates.ts";
import type { CommandShape, OptionShape } from "./shape.ts";

const FILES: readonly (readonly [file: string, says: string])[] = [
  ["conf/domains.map", "domain and pool, a line each; may be edited by hand"],
  ["conf/servers.json", "the servers of each pool; may be edited by hand"],
  ["conf/servers.state", "made from it for HAProxy, which reads it at its start"],
  ["conf/haproxy.cfg", "written by `haproxy-mcp init`, then yours"],
  ["conf/certificates.json", "whose certificates are served, and how they are renewed"],
  [
    "conf/haproxy-mcp.env",
    "settings, for what the environment does not say; systemd gives them to the service",
  ],
  ["conf/mcp-token.env", "the tokens for HTTP, mode 0600"],
  ["certs/", "the certificates with their keys, and crt-list.txt, which says what HAProxy serves"],
  ["data/audit.jsonl", "one line for each call that changes something, refused ones too"],
  ["data/backup-before-restore.tar", "what the last restore replaced"],
];

const EXIT: readonly (readonly [code: string, says: string])[] = [
  ["0", "done"],
  ["1", "the tool answered an error, or a check found a fault"],
  ["2", "the command line can't be understood"],
  ["3", "HAProxy is out of reach"],
  ["4", "a setting, or a file under the root, has to be put right"],
  ["70", "an internal fault"],
];

/** @param version `0.1.0` */
export function manPage({ program, commands, tools }: CommandLine, version: string): string {
  const lines = [
    `.TH HAPROXY\\-MCP 1 "" "haproxy\\-mcp ${escaped(version)}" "User Commands"`,
    ...section("NAME"),
    "haproxy\\-mcp \\- change HAProxy while it serves, by MCP and by the shell",
    ...section("SYNOPSIS"),
    ...commands.flatMap(({ usage }, i) => [...i > 0 ? [".br"] : [], ".B " + escaped(usage)]),
    ...section("DESCRIPTION"),
    text(program.description),
    ".PP",
    text(
      "When it says done, a change is on disk, in HAProxy, and in the file that HAProxy reads at its next start.",
    ),
    ...section("COMMANDS"),
    ...commands.flatMap(commandLines),
    ...section("OPTIONS"),
    ...program.options.flatMap(optionLines),
    ...section("TOOLS"),
    text("What `haproxy-mcp call` can run; `haproxy-mcp call TOOL --help` shows the parameters."),
    ...toolLines(tools),
    ...section("ENVIRONMENT"),
    text(
      "An option of the same meaning wins. What neither sets is taken from conf/haproxy-mcp.env below HAPROXY_ROOT, where it " +
        "may be read and nobody else may write it. Paths that are not absolute are below HAPROXY_ROOT.",
    ),
    ...DESCRIBED.flatMap(({ names, fallback, says }) =>
      tagged(names.join(", "), `${says}${fallback === "" ? "" : ` (default: ${fallback})`}`)
    ),
    ...tagged(
      "NO_COLOR",
      "set to anything: no colours in a terminal; nor are there any where TERM is `dumb`",
    ),
    ...section("FILES"),
    text("Below HAPROXY_ROOT, where the settings do not say otherwise:"),
    ...FILES.flatMap(([file, says]) => tagged(file, says)),
    ...section("EXIT STATUS"),
    ...EXIT.flatMap(([code, says]) => tagged(code, says)),
    ...section("EXAMPLES"),
    ...commands.flatMap(({ example }) => example === "" ? [] : ["", `.B ${escaped(example)}`, ""]),
    ...section("SEE ALSO"),
    ".BR haproxy (1)",
  ];
  return `${lines.filter((line, i) => line !== "" || lines[i - 1] !== "").join("\n")}\n`
    .replaceAll("\n\n", "\n.PP\n");
}

const section = (title: string) => [`.SH ${title}`];

function commandLines({ usage, description, options, operands }: CommandShape): string[] {
  return [
    `.SS ${escaped(usage)}`,
    text(`${capital(description)}.`),
    ...operands.flatMap(({ name, description, choices }) =>
      tagged(name, `${description}${choices.length > 0 ? `: ${choices.join(", ")}` : ""}`)
    ),
    ...options.filter(({ long }) => long !== "--help").flatMap(optionLines),
  ];
}

const optionLines = ({ flags, description }: OptionShape) => tagged(flags, description);

function toolLines(tools: readonly ToolDefinition[]): string[] {
  return TOOL_GROUPS.flatMap((group) => {
    const some = tools.filter((tool) => tool.group === group);
    return some.length === 0 ? [] : [
      `.SS ${capital(group)}`,
      ...some.flatMap(({ name, title }) => tagged(name, title)),
    ];
  });
}

const tagged = (tag: string, says: string) => [".TP", `.B ${escaped(tag)}`, text(says)];

/** Markdown's code is bold. A line that begins with a dot or an apostrophe would be a request. */
function text(markdown: string): string {
  const line = escaped(markdown).replaceAll(/`([^`]+)`/g, "\\fB$1\\fR");
  return /^[.']/.test(line) ? `\\&${line}` : line;
}

/** A hyphen as it is typed, not as it is printed; a backslash. groff takes other letters than ASCII's by their numbers. */
const escaped = (plain: string): string =>
  plain.replaceAll("\\", "\\e").replaceAll("-", "\\-")
    .replaceAll(/[^\x20-\x7e]/gu, (letter) => `\\[u${codeOf(letter)}]`);

const codeOf = (letter: string) =>
  letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");

const capital = (sentence: string) => sentence[0].toUpperCase() + sentence.slice(1);
