/** MCP over HTTP, put together: from the settings to a listening socket, and its orderly end. */
import type { FrontSettings } from "../config.ts";
import type { ToolDefinition } from "../tool_definition.ts";
import { createJudge, type Tokens } from "./auth.ts";
import { createHttpApp } from "./http.ts";
import { createMcpEndpoint, type EndpointOptions } from "./mcp/endpoint.ts";
import { createServerFactory, type ServerOptions } from "./mcp/server.ts";
import type { ToolsClient } from "./tools_client.ts";

export interface HttpServiceOptions
  extends Pick<ServerOptions, "roomTools" | "newServer">, Pick<EndpointOptions, "sessionOptions"> {
  readonly settings: FrontSettings;
  readonly definitions: readonly ToolDefinition[];
  /** Host header names that are answered, IPv6 addresses with or without brackets. */
  readonly allowedHosts: readonly string[];
  /** Those that are accepted at the moment. */
  readonly tokens: () => Tokens;
  readonly tools: ToolsClient;
}

export interface HttpService {
  readonly port: number;
  /** Takes no more requests; resolves when the calls in flight have been answered, or after the grace. */
  stop(graceMs: number): Promise<void>;
}

/** How long the last answers have to leave once their calls have ended. */
const FLUSH_MS = 400;

/** Throws AgentError VALIDATION for a trusted network that is none, Deno's errors where it can't listen. */
export function openHttpService(options: HttpServiceOptions): HttpService {
  const { settings, allowedHosts, tokens, tools } = options;
  const { trustedNetworks, trustedAccess, allowedOrigins, maxSessions, sessionIdle } = settings;
  const judge = createJudge(tokens, { networks: trustedNetworks, access: trustedAccess });
  const mcp = createMcpEndpoint({
    newServer: createServerFactory({ ...options, transport: "http" }),
    limits: { max: maxSessions, idleMs: sessionIdle * 1_000 },
    sessionOptions: options.sessionOptions,
  });
  const app = createHttpApp({ allowedHosts, allowedOrigins, judge, mcp });
  const aborter = new AbortController();
  const server = Deno.serve({
    hostname: settings.host,
    port: settings.port,
    signal: aborter.signal,
    onListen: () => {},
  }, (request, info) => app.fetch(request, info));
  return {
    port: server.addr.port,
    async stop(graceMs) {
      const finished = server.shutdown();
      await tools.whenIdle(graceMs);
      // A call's answer leaves in the turns after its end; the GET streams never end by themselves.
      await pause(0);
      await mcp.close();
      const timer = setTimeout(() => aborter.abort(), FLUSH_MS);
      await finished;
      clearTimeout(timer);
    },
  };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
