/** tools/list and tools/call: offered by access and settings, asked back where a person's word is wanted, run in the tools room. */
import type {
  CallToolResult,
  ListToolsResult,
  RequestStateCodec,
  ServerContext,
} from "@modelcontextprotocol/server";
import type { Access, FrontSettings } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { logWithin } from "../../log.ts";
import type { Progress } from "../../rpc/mod.ts";
import type { ToolDefinition, ToolResult } from "../../tool_definition.ts";
import type { Metrics } from "../metrics.ts";
import { type Span, withSpan } from "../tracing.ts";
import type { ToolsClient } from "../tools_client.ts";
import type { Asked } from "./asked.ts";
import { confirmed, type Question } from "./confirmation.ts";
import type { McpHandlers } from "./handlers.ts";
import { GROUP_ICONS } from "./icons.ts";
import { invalidParams } from "./rpc_error.ts";

/** Where a refusal's `{code, message, hint, details, request_id}` is found in `_meta`. */
export const ERROR_META_KEY = "haproxy-mcp/error";

interface ToolHandlersOptions {
  readonly settings: Pick<FrontSettings, "confirm" | "readOnly" | "toolsets">;
  readonly definitions: readonly ToolDefinition[];
  readonly tools: Pick<ToolsClient, "call">;
  readonly codec: RequestStateCodec<Question>;
  readonly metrics: Pick<Metrics, "onCall">;
}

export function toolHandlers(
  { settings, definitions, tools, codec, metrics }: ToolHandlersOptions,
): Pick<McpHandlers, "tools/list" | "tools/call"> {
  const offered = definitions
    .filter((tool) => settings.toolsets.includes(tool.group))
    .filter((tool) => !settings.readOnly || tool.annotations.readOnlyHint);
  const byName = new Map(offered.map((tool) => [tool.name, tool]));
  const listed = {
    full: offered.map(toListed),
    read: offered.filter((tool) => tool.annotations.readOnlyHint).map(toListed),
  } satisfies Record<Access, unknown>;

  return {
    "tools/list": (_request, { access }) => ({ tools: listed[access] }),

    "tools/call"({ params: { name, arguments: args = {} } }, asked) {
      const definition = byName.get(name);
      if (!definition) throw invalidParams(`Tool ${name} not found`);
      const { caller, context } = asked;
      const { requestId } = caller;
      const traced = <T>(span: string, act: (span: Span) => Promise<T>) =>
        logWithin(requestId, () => withSpan(span, act));
      const run = (call: Pick<Parameters<ToolsClient["call"]>[1], "args" | "verdict">) =>
        tools.call(definition, { ...call, caller }, {
          signal: context.mcpReq.signal,
          // A dry run for a question makes none: the call's own has to begin after it, and only ever grow.
          onProgress: call.verdict === "preview" ? undefined : progressSender(context),
        });
      return traced(`tools/call ${name}`, async (span) => {
        span.setAttributes({
          "mcp.method.name": "tools/call",
          "gen_ai.tool.name": name,
          "haproxy_mcp.request_id": requestId,
        });
        const start = performance.now();
        let code = "OK";
        try {
          // Throws REFUSED, once it is in the audit log.
          if (!isAllowed(definition, asked)) await run({ args, verdict: "refused" });
          const decision = await confirmed({ definition, args, asked, codec, settings, run });
          if ("ask" in decision) {
            code = "ASKED";
            return decision.ask;
          }
          return toResult(await run({ args, ...decision }));
        } catch (cause) {
          const error = AgentError.from(cause);
          code = error.code;
          return toErrorResult(error, requestId);
        } finally {
          metrics.onCall(name, code, (performance.now() - start) / 1000);
          span.setAttribute("haproxy_mcp.code", code);
        }
      });
    },
  };
}

const isAllowed = ({ annotations }: ToolDefinition, { access }: Asked): boolean =>
  access === "full" || annotations.readOnlyHint;

/** Undefined unless the client asked for progress. One that is gone by then misses nothing. */
function progressSender({ mcpReq }: ServerContext) {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  return (progress: Progress) =>
    void mcpReq.notify({
      method: "notifications/progress",
      params: { progressToken, ...progress },
    }).catch(() => {});
}

function toResult({ text, structured }: ToolResult): CallToolResult {
  return { content: [{ type: "text", text }], structuredContent: structured };
}

/** A refusal is a result, not a protocol error: the model that called must read it. */
export function toErrorResult(error: AgentError, requestId: string): CallToolResult {
  const text = `Error: ${error.message}${error.hint ? ` Hint: ${error.hint}` : ""}`;
  return {
    isError: true,
    content: [{ type: "text", text }],
    _meta: { [ERROR_META_KEY]: { ...error.toData(), request_id: requestId } },
  };
}

function toListed(definition: ToolDefinition): ListToolsResult["tools"][number] {
  const { name, title, description, inputSchema, outputSchema, annotations, group } = definition;
  return {
    name,
    title,
    description,
    icons: [GROUP_ICONS[group]],
    inputSchema: { ...inputSchema, type: "object" },
    outputSchema: { ...outputSchema, type: "object" },
    // Clients before 2025-06-18 know a title only here.
    annotations: { title, ...annotations },
  };
}
