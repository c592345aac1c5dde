/** The front room: HTTP or stdio, authentication and the MCP protocol. No files, no programs. */
import type { FrontSettings, Logging } from "../config.ts";
import { openLog } from "../log.ts";
import { connect, type Port } from "../rpc/mod.ts";
import type { FrontEars, ResourceDefinition } from "../resource_definition.ts";
import type { ToolDefinition } from "../tool_definition.ts";
import type { Tokens } from "./access/judge.ts";
import { openHttpService } from "./http_service.ts";
import { createChanges } from "./mcp/changes.ts";
import { createServerFactory, type ServerVariant } from "./mcp/server.ts";
import { createMetrics } from "./metrics.ts";
import { serveStreams } from "./stdio.ts";
import { createToolsClient } from "./tools_client.ts";

export type { Tokens } from "./access/judge.ts";

/** What main answers to the front room. */
export type FrontActs = {
  /** stdin has ended and all that came has been answered: the process may end with exit status 0. */
  stdinEnded(): void;
  /** A call of this tool ignored its abort: the tools room may be stuck. */
  toolsDeaf(call: { readonly tool: string }): void;
};

/** What the front room answers to main. */
export type FrontRoom = ReturnType<typeof openFrontRoom>;

/** What `serveHttp` and `serveStdio` have in common. */
interface Start {
  readonly settings: FrontSettings;
  readonly definitions: readonly ToolDefinition[];
  readonly resources: readonly ResourceDefinition[];
  readonly logging: Logging;
}

/** @param variant what a test build adds */
export function openFrontRoom(control: Port, variant?: ServerVariant) {
  const changes = createChanges();
  const ears: FrontEars = { resourcesChanged: changes.publish };
  const tools = createToolsClient({
    onDeaf: (tool) => void main.call("toolsDeaf", { tool }).catch(() => {}),
    handlers: ears,
  });
  const parts = { tools, changes, metrics: createMetrics(), variant };
  let tokens: Tokens = { full: [], read: [] };
  let tokensChanged = () => {};
  let stop: (graceMs: number) => Promise<void> = () => Promise.resolve();

  const acts = {
    /** A new way to the tools room. Calls wait in the port until that room reads it. */
    attach({ port }: { readonly port: MessagePort }) {
      tools.attach(port);
    },

    setTokens(accepted: Tokens) {
      tokens = accepted;
      tokensChanged();
    },

    /** Returns the port. Throws VALIDATION for a trusted network that is none. */
    serveHttp({ tokens: accepted, logging, ...start }: Start & {
      /** Host header names that are answered, IPv6 addresses with or without brackets. */
      readonly allowedHosts: readonly string[];
      readonly tokens: Tokens;
      /** HTTP connections that may be open at once: file descriptors are this process's, for its files, too. */
      readonly maxConnections: number;
    }): number {
      openLog("front", logging);
      tokens = accepted;
      const service = openHttpService({ ...parts, ...start, tokens: () => tokens });
      ({ stop, tokensChanged } = service);
      return service.port;
    },

    serveStdio({ logging, ...start }: Start) {
      openLog("front", logging);
      const newServer = createServerFactory({ ...parts, ...start, transport: "stdio" });
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
