/** The one MCP server factory behind every transport and protocol era. */
import {
  type CallToolRequest,
  type CallToolResult,
  CLIENT_INFO_META_KEY,
  type Implementation,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import project from "../../../deno.json" with { type: "json" };
import type { Access, FrontSettings } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import type { Caller, ToolDefinition } from "../../tool_definition.ts";
import { accessIn } from "../auth.ts";
import type { ToolsClient } from "../tools_client.ts";
import { toErrorResult, toListed, toResult } from "./answers.ts";

/** A tool that runs in the front room itself: test builds bring such. */
export interface RoomTool {
  readonly definition: ToolDefinition;
  run(args: unknown, context: ServerContext): CallToolResult | Promise<CallToolResult>;
}

export interface ServerOptions {
  readonly transport: Caller["transport"];
  readonly settings: Pick<FrontSettings, "readOnly" | "toolsets">;
  readonly definitions: readonly ToolDefinition[];
  readonly tools: Pick<ToolsClient, "call">;
  readonly roomTools?: readonly RoomTool[];
  /** What a test build serves in the place of the product's server, or beside its handlers. */
  readonly newServer?: (product: Server) => Server | McpServer;
}

const INFO = { name: project.name, title: "HAProxy", version: project.version } as const;

const INSTRUCTIONS = `Manages a running HAProxy without reloads. \
A domain is routed to a pool (backend pool_N), taken from a fixed number of pools; several domains \
may share one. A pool has a fixed number of slots (server pool_N_SLOT), each empty or holding one \
server. State and weight belong to a server: ready takes traffic, drain takes no new sessions, \
maint takes none. To take a server out gently: set it to drain, wait with haproxy_wait_drain, then \
remove it. A success is on disk and in HAProxy. Writing tools take dry_run=true to show what they \
would change.`;

/**
 * What is called for each session, or in the 2026-07-28 era for each request. Which tools are
 * offered depends on the request's access, so a session may see less after its token has changed.
 */
export function createServerFactory(options: ServerOptions): () => Server | McpServer {
  const { transport, settings, tools, roomTools = [], newServer } = options;
  const offered = [...options.definitions, ...roomTools.map((tool) => tool.definition)]
    .filter((tool) => settings.toolsets.includes(tool.group))
    .filter((tool) => !settings.readOnly || tool.annotations.readOnlyHint);
  const byName = new Map(offered.map((tool) => [tool.name, tool]));
  const inRoom = new Map(roomTools.map((tool) => [tool.definition.name, tool]));
  const listed = {
    full: offered.map(toListed),
    read: offered.filter((tool) => tool.annotations.readOnlyHint).map(toListed),
  } satisfies Record<Access, unknown>;

  async function callTool(
    server: Server,
    { params: { name, arguments: args = {} } }: CallToolRequest,
    context: ServerContext,
  ): Promise<CallToolResult> {
    const definition = byName.get(name);
    if (!definition) {
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Tool ${name} not found`);
    }
    try {
      assertAllowed(definition, accessIn(context.http?.authInfo));
      const roomTool = inRoom.get(name);
      if (roomTool) return await roomTool.run(args, context);
      const caller = { transport, who: whoCalls(server, context) };
      return toResult(
        await tools.call(definition, { args, caller }, {
          signal: context.mcpReq.signal,
          onProgress: progressSender(context),
        }),
      );
    } catch (cause) {
      return toErrorResult(AgentError.from(cause));
    }
  }

  return () => {
    // Server, not McpServer: that one would check arguments itself and refuse them in its own words.
    const server = new Server(INFO, { capabilities: { tools: {} }, instructions: INSTRUCTIONS });
    server.setRequestHandler(
      "tools/list",
      (_request, context) => ({ tools: listed[accessIn(context.http?.authInfo)] }),
    );
    server.setRequestHandler(
      "tools/call",
      (request, context) => callTool(server, request, context),
    );
    return newServer?.(server) ?? server;
  };
}

function assertAllowed({ name, annotations }: ToolDefinition, access: Access) {
  if (access === "full" || annotations.readOnlyHint) return;
  throw new AgentError("REFUSED", `${name} changes HAProxy, and this access is read-only.`, {
    hint: "Use a token of MCP_TOKEN.",
  });
}

/** Undefined unless the client asked for progress. One that is gone by then misses nothing. */
function progressSender({ mcpReq }: ServerContext) {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  return (progress: { progress: number; total?: number; message?: string }) =>
    void mcpReq.notify({
      method: "notifications/progress",
      params: { progressToken, ...progress },
    }).catch(() => {});
}

/** The client's name for itself, cut to what fits a log line, and its socket's address. */
function whoCalls(server: Server, { mcpReq, http }: ServerContext): string {
  const envelope = mcpReq.envelope as { [CLIENT_INFO_META_KEY]?: Implementation } | undefined;
  const info = envelope?.[CLIENT_INFO_META_KEY] ?? server.getClientVersion();
  const name = (info?.name ?? "").replace(/[^\x20-\x7e]/g, "?").slice(0, 64) || "unnamed";
  return http?.authInfo ? `${name} ${http.authInfo.clientId}` : name;
}
