/** A fixture tool: what the suites want of it, and nothing else that a listing needs. */
import type { FrontTool } from "../front_tools.ts";

type Schema = FrontTool["listed"]["inputSchema"];

export const fixture = (
  name: string,
  description: string,
  run: FrontTool["run"],
  inputSchema: Omit<Schema, "type"> = {},
): FrontTool => ({
  listed: { name, description, inputSchema: { ...inputSchema, type: "object" } },
  run,
});
