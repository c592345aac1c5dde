/** conf/mcp-token.env as the original may have it: the one token in it, under whatever name. */
import { parseTokens } from "../supervisor/token_file.ts";

export type TakenTokens =
  | { readonly ok: true; readonly text?: string }
  | { readonly ok: false; readonly problem: string };

/** @returns text: the file as `serve` reads it, where that is not how it is */
export function takeTokens(text: string): TakenTokens {
  const parsed = parseTokens(text);
  if (parsed.ok) return { ok: true };
  const lines = text.split("\n").map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  // A line for reading is ours, and must not let anybody do more.
  const [, , token] =
    /^(?:export\s+)?(?!MCP_READONLY_TOKEN=)\w+=(["']?)([^"']+)\1$/.exec(lines[0] ?? "") ?? [];
  const taken = `MCP_TOKEN=${token}\n`;
  return lines.length === 1 && token !== undefined && parseTokens(taken).ok
    ? { ok: true, text: taken }
    : { ok: false, problem: parsed.problem };
}
