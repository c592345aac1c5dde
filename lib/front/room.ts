/** The front room: HTTP or stdio, authentication and the MCP protocol. No files, no programs. */
import type {
  McpServer,
  Server,
  WebStandardStreamableHTTPServerTransportOptions as SessionOptions,
} from "@modelcontextprotocol/server";
import type { FrontSettings, LogLevel } from "../config.ts";
import { openLog } from "../log.ts";
import { connect, type Port } from "../rpc/mod.ts";
import type { ToolDefinition } from "../tool_definition.ts";
import { createJudge, type Tokens } from "./auth.ts";
import { createHttpApp } from "./http.ts";
import { createMcpEndpoint } from "./mcp/endpoint.ts";
import { createServerFactory, type RoomTool } from "./mcp/server.ts";
import { serveStreams } from "./stdio.ts";
import { createToolsClient } from "./tools_client.ts";

export type { Tokens } from "./auth.ts";
export type { Caller, ToolCall, ToolHandlers } from "./tools_client.ts";

/** What main answers to the front room. */
export type FrontActs = {
  /** stdin has ended and all that came has been answered: the process may end with exit status 0. */
  stdinEnded(): void;
  /** A call of this tool ignored its abort: the tools room may be stuck. */
  toolsDeaf(call: { readonly tool: string }): void;
};

/** What a test build may add. */
export interface FrontVariant {
  /** Tools that run in this room, offered beside those of the tools room. */
  readonly roomTools?: readonly RoomTool[];
  /** A server in the place of the product's, or the product's with more handlers. */
  readonly newServer?: (product: Server) => Server | McpServer;
  /** Options of a session's transport, made anew for each. */
  readonly sessionOptions?: () => SessionOptions;
}

/** What the front room answers to main. */
export type FrontRoom = ReturnType<typeof openFrontRoom>;

/** How long the last answers have to leave once their calls have ended. */
const FLUSH_MS = 400;

export function openFrontRoom(control: Port, variant: FrontVariant = {}) {
  const tools = createToolsClient((tool) => void main.call("toolsDeaf", { tool }).catch(() => {}));
  const { roomTools, newServer, sessionOptions } = variant;
  let tokens: Tokens = { full: [], read: [] };
  let stop: (graceMs: number) => Promise<void> = () => Promise.resolve();

  const acts = {
    /** A new way to the tools room. Calls wait in the port until that room reads it. */
    attach({ port }: { readonly port: MessagePort }) {
      tools.attach(port);
    },

    setTokens(accepted: Tokens) {
      tokens = accepted;
    },

    /** Resolves with the port. Throws VALIDATION for a trusted network that is none. */
    serveHttp({ settings, definitions, allowedHosts, tokens: accepted, logLevel = "INFO" }: {
      readonly settings: FrontSettings;
      readonly logLevel?: LogLevel;
      readonly definitions: readonly ToolDefinition[];
      /** Host header names that are answered, IPv6 addresses with or without brackets. */
      readonly allowedHosts: readonly string[];
      readonly tokens: Tokens;
    }): number {
      openLog("front", logLevel);
      tokens = accepted;
      const { trustedNetworks, trustedAccess, allowedOrigins, maxSessions, sessionIdle } = settings;
      const judge = createJudge(() => tokens, { networks: trustedNetworks, access: trustedAccess });
      const mcp = createMcpEndpoint({
        newServer: createServerFactory({
          transport: "http",
          settings,
          definitions,
          tools,
          roomTools,
          newServer,
        }),
        limits: { max: maxSessions, idleMs: sessionIdle * 1_000 },
        sessionOptions,
      });
      const app = createHttpApp({ allowedHosts, allowedOrigins, judge, mcp });
      const aborter = new AbortController();
      const server = Deno.serve({
        hostname: settings.host,
        port: settings.port,
        signal: aborter.signal,
        onListen: () => {},
      }, (request, info) => app.fetch(request, info));
      stop = async (graceMs) => {
        const finished = server.shutdown();
        await tools.whenIdle(graceMs);
        // A call's answer leaves in the turns after its end; the GET streams never end by themselves.
        await pause(0);
        await mcp.close();
        const timer = setTimeout(() => aborter.abort(), FLUSH_MS);
        await finished;
        clearTimeout(timer);
      };
      return server.addr.port;
    },

    serveStdio({ settings, definitions, logLevel = "INFO" }: {
      readonly settings: FrontSettings;
      readonly logLevel?: LogLevel;
      readonly definitions: readonly ToolDefinition[];
    }) {
      openLog("front", logLevel);
      const factory = createServerFactory({
        transport: "stdio",
        settings,
        definitions,
        tools,
        roomTools,
        newServer,
      });
      const service = serveStreams(factory, Deno.stdin.readable, Deno.stdout.writable);
      let stopping = false;
      stop = (graceMs) => {
        stopping = true;
        return service.stop(graceMs);
      };
      void service.ended.then(() => stopping ? undefined : main.call("stdinEnded", undefined))
        .catch(() => {});
    },

    /** Takes no more requests; resolves when the calls in flight have been answered, or after the grace. */
    stop({ graceMs }: { readonly graceMs: number }): Promise<void> {
      return stop(graceMs);
    },
  };
  const main = connect<FrontActs>(control, acts);
  return acts;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
