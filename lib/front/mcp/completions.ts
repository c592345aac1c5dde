/** completion/complete: domains, backends, slots and servers, as the tools room knows them. */
import type { CompleteRequest } from "@modelcontextprotocol/server";
import type { Completions } from "../../resource_definition.ts";
import type { ToolsClient } from "../tools_client.ts";
import type { McpHandlers } from "./handlers.ts";

export function completionHandlers(
  { tools }: { readonly tools: Pick<ToolsClient, "read"> },
): Pick<McpHandlers, "completion/complete"> {
  return {
    async "completion/complete"({ params }: CompleteRequest, { context }) {
      const { argument: { name, value }, context: filled } = params;
      const question = { argument: name, value, given: filled?.arguments ?? {} };
      // What can't be known is completed by nothing: a person is typing.
      const none: Completions = { values: [], total: 0, hasMore: false };
      const { values, total, hasMore } = await tools
        .read<Completions>("complete", question, { signal: context.mcpReq.signal })
        .catch(() => none);
      return { completion: { values: [...values], total, hasMore } };
    },
  };
}
