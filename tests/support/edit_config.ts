/** Edits of a test's haproxy.cfg. */
import type { ToolRig } from "./tools.ts";

/** Adds lines to haproxy.cfg; answers the number of the first one. */
export async function append({ haproxy: { configFile } }: ToolRig, lines: string): Promise<number> {
  const before = await Deno.readTextFile(configFile);
  await Deno.writeTextFile(configFile, before + lines);
  return before.split("\n").length;
}
