/** The settings in another haproxy-mcp.service, such as the original's: what its Environment= lines say. */
import { type Variable, VARIABLES } from "../config.ts";

export interface UnitSettings {
  readonly settings: Partial<Readonly<Record<Variable, string>>>;
  /** Names that mean nothing here. Their values may be secrets. */
  readonly unknown: readonly string[];
  /** Files that it reads further settings from. */
  readonly files: readonly string[];
}

/** @param text the unit's, in the form of systemd.exec(5): assignments with blanks between, each perhaps in quotes */
export function settingsOfUnit(text: string): UnitSettings {
  const settings: Partial<Record<Variable, string>> = {};
  const unknown = new Set<string>();
  const files: string[] = [];
  // A backslash at the end of a line goes on in the next.
  for (const line of text.replace(/\\\n/g, " ").split("\n")) {
    const [, key, value] = /^\s*(Environment|EnvironmentFile)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key === "EnvironmentFile" && value !== "") files.push(value.replace(/^-/, ""));
    if (key !== "Environment") continue;
    for (const word of words(value)) {
      const [, name, assigned] = /^([A-Za-z_]\w*)=(.*)$/s.exec(word) ?? [];
      if (name === undefined || assigned === "") continue;
      if (isVariable(name)) settings[name] = assigned;
      else unknown.add(name);
    }
  }
  return { settings, unknown: [...unknown], files };
}

const isVariable = (name: string): name is Variable =>
  (VARIABLES as readonly string[]).includes(name);

/** Words as systemd splits them; `%%` is a percent sign. */
function words(text: string): string[] {
  const found: string[] = [];
  for (
    const [, whole] of text.matchAll(/((?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\\.|[^\s"'\\])+)/gs)
  ) {
    const plain = whole.replace(
      /"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|(\\.)/gs,
      (_, double = "", single = "", escaped = "") => `${double}${single}${escaped}`,
    );
    found.push(plain.replace(/\\(.)/gs, "$1").replaceAll("%%", "%"));
  }
  return found;
}
