/** Edits of a test's haproxy.cfg. */
import type { ToolRig } from "./tools.ts";

/** Adds lines to haproxy.cfg; answers the number of the first one. */
export async function append({ haproxy: { configFile } }: ToolRig, lines: string): Promise<number> {
  const before = await Deno.readTextFile(configFile);
  await Deno.writeTextFile(configFile, before + lines);
  return before.split("\n").length;
}

/** haproxy.cfg's text where no second HAProxy may, as `init` writes it. */
export const withNoreuseport = (config: string): string =>
  withoutNoreuseport(config).replace(/^global$/m, "global\n    noreuseport");

/** haproxy.cfg's text where a second HAProxy may listen on the same addresses. */
export const withoutNoreuseport = (config: string): string =>
  config.replace(/^ *noreuseport$/m, "");
