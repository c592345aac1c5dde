/**
 * What the official conformance suites ask of a server beside its own tools: fixtures with fixed names, laid over the
 * product's handlers. The suites thereby test the product's transports, sessions, streams and protocol eras.
 */
import type { ServerCapabilities } from "@modelcontextprotocol/server";
import type { McpHandlers } from "../../../../lib/front/mcp/handlers.ts";
import { withFrontTools } from "../front_tools.ts";
import { askingTools } from "./asking_tools.ts";
import { elicitationTools } from "./elicitation_tools.ts";
import { withFixturePrompts } from "./prompts.ts";
import { withFixtureResources } from "./resources.ts";
import { answeringTools } from "./answering_tools.ts";

/** The product sends its clients no log messages; the suites want to see that a tool could. */
export const CONFORMANCE_CAPABILITIES: ServerCapabilities = { logging: {} };

/** Of tools whose parameters clients repeat as headers. */
export const HEADED_TOOLS: ReadonlyMap<string, Record<string, unknown>> = new Map(
  answeringTools.filter(({ listed: { inputSchema } }) =>
    JSON.stringify(inputSchema).includes('"x-mcp-header"')
  ).map(({ listed: { name, inputSchema } }) => [name, inputSchema]),
);

export function withConformanceFixtures(product: McpHandlers): McpHandlers {
  const tools = [...answeringTools, ...elicitationTools, ...askingTools(product)];
  return withFixturePrompts(withFixtureResources(withFrontTools(product, tools)));
}
