/** completion/complete: domains, backends and slots, as the tools room knows them. */
import type { CompleteRequest } from "@modelcontextprotocol/server";
import type { Completions, ResourceDefinition } from "../../resource_definition.ts";
import type { ToolsClient } from "../tools_client.ts";
import type { McpHandlers } from "./handlers.ts";
import { PROMPTS } from "./prompts.ts";
import { invalidParams } from "./rpc_error.ts";

interface CompletionOptions {
  readonly resources: readonly ResourceDefinition[];
  readonly tools: Pick<ToolsClient, "read">;
}

export function completionHandlers(
  { resources, tools }: CompletionOptions,
): Pick<McpHandlers, "completion/complete"> {
  const templates = new Set(
    resources.flatMap((each) => "uriTemplate" in each ? [each.uriTemplate] : []),
  );
  const prompts = new Set(PROMPTS.map(({ name }) => name));
  const isThere = ({ params: { ref } }: CompleteRequest) =>
    ref.type === "ref/prompt" ? prompts.has(ref.name) : templates.has(ref.uri);

  return {
    async "completion/complete"(request, { context }) {
      if (!isThere(request)) {
        throw invalidParams("There is no such prompt or resource template.");
      }
      const { argument: { name, value }, context: filled } = request.params;
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
