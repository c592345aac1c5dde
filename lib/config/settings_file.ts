/** conf/haproxy-mcp.env: the settings that systemd gives the unit (EnvironmentFile), and the shell has from there too. */
import { join } from "node:path";
import type { Environment } from "./reader.ts";
import { readSmallFile } from "./small_file.ts";

export const settingsFilePath = (root: string): string => join(root, "conf/haproxy-mcp.env");

/**
 * What the file sets. Nothing where there is none, where this user may not read it, or where somebody else than root and this
 * user could have written it: its settings name programs.
 */
export function readSettingsFile(root: string): Environment {
  try {
    const { text, uid, mode } = readSmallFile(settingsFilePath(root));
    const isTrusted = (uid === 0 || uid === Deno.uid()) && (mode & 0o022) === 0;
    return isTrusted ? parseEnvironmentFile(text) : {};
  } catch {
    return {};
  }
}

/** `NAME=value`, one a line; by name and value. */
const ASSIGNMENT = /^[ \t]*([A-Za-z_]\w*)=((?:"(?:\\[^]|[^"\\])*"|'[^']*'|\\[^]|[^"'\\\n])*)/gm;
/** Within double quotes, single quotes, or none. */
const PIECE = /"((?:\\[^]|[^"\\])*)"|'([^']*)'|((?:\\[^]|[^"'\\])+)/g;

/** As systemd.exec(5) has it: quotes, backslashes, lines that go on; `#` and `;` begin comments. */
export function parseEnvironmentFile(text: string): Environment {
  return Object.fromEntries(
    Array.from(text.matchAll(ASSIGNMENT), ([, name, value]) => [name, plain(value.trim())]),
  );
}

function plain(value: string): string {
  return value.replace(
    PIECE,
    (_, double?: string, single?: string, bare?: string) =>
      double?.replace(/\\(["\\`$\n])/g, unescaped) ?? single ??
        bare!.replace(/\\([^])/g, unescaped),
  );
}

const unescaped = (_: string, character: string) => character === "\n" ? "" : character;
