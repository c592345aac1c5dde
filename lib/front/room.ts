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
import type { Tokens } from "./auth.ts";
import { openHttpService } from "./http_service.ts";
import { createServerFactory, type RoomTool } from "./mcp/server.ts";
import { serveStreams } from "./stdio.ts";
import { createToolsClient } from "./tools_client.ts";

export type { Tokens } from "./auth.ts";

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

/** What `serveHttp` and `serveStdio` have in common. */
interface Start {
  readonly settings: FrontSettings;
  readonly definitions: readonly ToolDefinition[];
  readonly logLevel?: LogLevel;
}

export function openFrontRoom(control: Port, variant: FrontVariant = {}) {
  const tools = createToolsClient((tool) => void main.call("toolsDeaf", { tool }).catch(() => {}));
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

    /** Returns the port. Throws VALIDATION for a trusted network that is none. */
    serveHttp({ tokens: accepted, logLevel = "INFO", ...start }: Start & {
      /** Host header names that are answered, IPv6 addresses with or without brackets. */
      readonly allowedHosts: readonly string[];
      readonly tokens: Tokens;
    }): number {
      openLog("front", logLevel);
      tokens = accepted;
      const service = openHttpService({ ...variant, ...start, tokens: () => tokens, tools });
      stop = service.stop;
      return service.port;
    },

    serveStdio({ logLevel = "INFO", ...start }: Start) {
      openLog("front", logLevel);
      const newServer = createServerFactory({ ...variant, ...start, transport: "stdio", tools });
      const service = serveStreams(newServer, Deno.stdin.readable, Deno.stdout.writable);
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
