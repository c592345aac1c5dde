/** Answers as MCP clients see them: results, refusals, and the list of tools. */
import type { CallToolResult, ListToolsResult } from "@modelcontextprotocol/server";
import type { AgentError } from "../../errors.ts";
import type { ToolDefinition, ToolResult } from "../../tool_definition.ts";

/** Where a refusal's `{code, message, hint, details}` is found in `_meta`. */
export const ERROR_META_KEY = "haproxy-mcp/error";

export function toResult({ text, structured }: ToolResult): CallToolResult {
  return { content: [{ type: "text", text }], structuredContent: structured };
}

/** A refusal is a result, not a protocol error: the model that called must read it. */
export function toErrorResult(error: AgentError): CallToolResult {
  const text = `Error: ${error.message}${error.hint ? ` Hint: ${error.hint}` : ""}`;
  return {
    isError: true,
    content: [{ type: "text", text }],
    _meta: { [ERROR_META_KEY]: error.toData() },
  };
}

export function toListed(definition: ToolDefinition): ListToolsResult["tools"][number] {
  const { name, title, description, inputSchema, outputSchema, annotations } = definition;
  return {
    name,
    title,
    description,
    inputSchema: { ...inputSchema, type: "object" },
    outputSchema: { ...outputSchema, type: "object" },
    // Clients before 2025-06-18 know a title only here.
    annotations: { title, ...annotations },
  };
}
