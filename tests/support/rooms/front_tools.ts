/** Tools that run in the front room itself: laid over the product's by a test build. */
import type {
  CallToolResult,
  InputRequiredResult,
  ListToolsResult,
} from "@modelcontextprotocol/server";
import type { Asked } from "../../../lib/front/mcp/asked.ts";
import type { McpHandlers } from "../../../lib/front/mcp/handlers.ts";

export interface FrontTool {
  readonly listed: ListToolsResult["tools"][number];
  run(
    args: Readonly<Record<string, unknown>>,
    asked: Asked,
  ): CallToolResult | InputRequiredResult | Promise<CallToolResult | InputRequiredResult>;
}

export function withFrontTools(product: McpHandlers, added: readonly FrontTool[]): McpHandlers {
  const byName = new Map(added.map((tool) => [tool.listed.name, tool]));
  return {
    ...product,
    async "tools/list"(request, asked) {
      const { tools } = await product["tools/list"](request, asked);
      return { tools: [...tools, ...added.map(({ listed }) => listed)] };
    },
    "tools/call"(request, asked) {
      const { name, arguments: args = {} } = request.params;
      return byName.get(name)?.run(args, asked) ?? product["tools/call"](request, asked);
    },
  };
}
