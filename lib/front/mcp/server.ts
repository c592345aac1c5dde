/** The one MCP server factory behind every transport and protocol era. */
import {
  createRequestStateCodec,
  McpServer,
  type ServerCapabilities,
  type ServerContext,
} from "@modelcontextprotocol/server";
import project from "../../../deno.json" with { type: "json" };
import type { FrontSettings } from "../../config.ts";
import type { ResourceDefinition } from "../../resource_definition.ts";
import type { Caller, ToolDefinition } from "../../tool_definition.ts";
import { admittedIn } from "../access/principal.ts";
import type { Metrics } from "../metrics.ts";
import type { ToolsClient } from "../tools_client.ts";
import { asked, type Connection } from "./asked.ts";
import { scopeChallenge } from "./scope_challenge.ts";
import type { Changes } from "./changes.ts";
import { completionHandlers } from "./completions.ts";
import type { Question } from "./confirmation.ts";
import type { McpHandlers } from "./handlers.ts";
import { HAPROXY_ICON } from "./icons.ts";
import { INSTRUCTIONS } from "./instructions.ts";
import { promptHandlers } from "./prompts.ts";
import { resourceHandlers } from "./resources.ts";
import { toolHandlers } from "./tools.ts";

export interface ServerOptions {
  readonly transport: Caller["transport"];
  readonly settings: Pick<FrontSettings, "confirm" | "readOnly" | "toolsets">;
  readonly definitions: readonly ToolDefinition[];
  readonly resources: readonly ResourceDefinition[];
  readonly tools: Pick<ToolsClient, "call" | "read">;
  readonly changes: Pick<Changes, "join" | "subscribe" | "unsubscribe">;
  readonly metrics: Metrics;
  readonly variant?: ServerVariant;
}

/** What a test build lays over the product's server. */
export interface ServerVariant {
  readonly capabilities?: ServerCapabilities;
  /** JSON Schemas of tools that it adds and whose parameters are repeated as headers. */
  readonly headedTools?: ReadonlyMap<string, Record<string, unknown>>;
  extend?(product: McpHandlers): McpHandlers;
}

const INFO = {
  name: project.name,
  title: "HAProxy",
  version: project.version,
  description: "Changes a running HAProxy with no reload: domains, servers, weights, certificates.",
  icons: [HAPROXY_ICON],
};

const CAPABILITIES: ServerCapabilities = {
  tools: { listChanged: false },
  resources: { subscribe: true, listChanged: true },
  prompts: { listChanged: false },
  completions: {},
};

/** Questions that were asked before the last start are void: the key is this process's own. */
const KEY_BYTES = 32;

/**
 * What is called for each session, or in the 2026-07-28 era over HTTP for each request. What is
 * offered depends on the request's access, so a session may see less after its token has changed.
 */
export function createServerFactory(
  options: ServerOptions,
): (context: { readonly era: "legacy" | "modern" }) => McpServer {
  const { transport, variant = {} } = options;
  const codec = createRequestStateCodec<Question>({
    key: crypto.getRandomValues(new Uint8Array(KEY_BYTES)),
    bind: ({ http }: ServerContext) => admittedIn(http?.authInfo)?.principal.key ?? "local",
  });
  const product: McpHandlers = {
    ...toolHandlers({ ...options, codec }),
    ...resourceHandlers(options),
    ...promptHandlers(options),
    ...completionHandlers(options),
  };
  const handlers = variant.extend?.(product) ?? product;
  const headed = new Map([...headedTools(options.definitions), ...variant.headedTools ?? []]);
  const challenge = scopeChallenge(options.definitions, (definition, args, admitted) => {
    const { principal: { who, address }, requestId } = admitted;
    const call = {
      args,
      caller: { transport, who, address, requestId },
      verdict: "refused",
    } as const;
    // It ends REFUSED, in the audit log.
    options.tools.call(definition, call, { signal: new AbortController().signal }).catch(() => {});
  });

  return ({ era }) => {
    const whole = new McpServer(INFO, {
      capabilities: { ...CAPABILITIES, ...variant.capabilities },
      instructions: INSTRUCTIONS,
      requestState: { verify: codec.verify },
    });
    // Its own registries stay empty: it would check arguments itself and refuse them in its own words. What is used of it
    // the SDK does for no bare Server: ask for more scopes, and compare headers that repeat parameters (SEP-2243).
    whole.resolveScopeChallenge = challenge;
    whole.toolInputSchemaJson = (name) => headed.get(name);
    const { server } = whole;
    const connection: Connection = { server, subscribed: new Set() };
    for (const [method, handler] of Object.entries(handlers)) {
      server.setRequestHandler(
        method as keyof McpHandlers,
        (request: unknown, context: ServerContext) =>
          handler(request as never, asked(transport, connection, context)) as never,
      );
    }
    // In the 2026-07-28 era subscriptions/listen is the SDK's: over stdio it picks from all that is sent, over HTTP its
    // streams hang on a bus.
    if (era === "legacy") options.changes.join(connection, "subscribed");
    else if (transport === "stdio") options.changes.join(connection, "everything");
    return whole;
  };
}

/** The tools with a parameter that clients repeat as a header, for gateways that don't read bodies. */
function headedTools(definitions: readonly ToolDefinition[]) {
  return definitions.filter(({ inputSchema }) =>
    JSON.stringify(inputSchema).includes('"x-mcp-header"')
  )
    .map(({ name, inputSchema }) => [name, inputSchema] as const);
}
