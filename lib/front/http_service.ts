/** MCP over HTTP, put together: from the settings to a listening socket, and its orderly end. */
import type { FrontSettings } from "../config.ts";
import { log } from "../log.ts";
import type { Measured } from "../measured.ts";
import type { Overview } from "../overview.ts";
import { pause } from "../pause.ts";
import { createFailures } from "./access/failures.ts";
import { createJudge, isKeyOfToken, keyOfToken, type Tokens } from "./access/judge.ts";
import { createTokenVerifier } from "./access/oauth.ts";
import { protectedResource } from "./access/protected_resource.ts";
import { createLimiter } from "./access/rate.ts";
import { CONNECTION_TIMES, listen } from "./connections.ts";
import type { Changes } from "./mcp/changes.ts";
import { createHttpApp } from "./http.ts";
import { createLasting } from "./lasting.ts";
import { createMcpEndpoint } from "./mcp/endpoint.ts";
import { createServerFactory, type ServerOptions } from "./mcp/server.ts";
import { measuring } from "./measuring.ts";
import { createShare } from "./share.ts";
import { createStatus } from "./status/routes.ts";
import type { ToolsClient } from "./tools_client.ts";

export interface HttpServiceOptions
  extends Omit<ServerOptions, "changes" | "settings" | "transport"> {
  readonly changes: Changes;
  readonly settings: FrontSettings;
  /** Host header names that are answered, IPv6 addresses with or without brackets. */
  readonly allowedHosts: readonly string[];
  /** Those that are accepted at the moment. */
  readonly tokens: () => Tokens;
  readonly tools: ToolsClient;
  /** Connections that may be open at once. */
  readonly maxConnections: number;
}

export interface HttpService {
  readonly port: number;
  /** The tokens are others: whose is no longer accepted has no session and no stream any more. */
  tokensChanged(): void;
  /** Takes no more requests; resolves when the calls in flight have been answered, or after the grace. */
  stop(graceMs: number): Promise<void>;
}

/** How long the last answers have to leave once their calls have ended. */
const FLUSH_MS = 400;

/** Throws AgentError VALIDATION for a trusted network that is none, Deno's errors where it can't listen. */
export function openHttpService(options: HttpServiceOptions): HttpService {
  const { settings, allowedHosts, tokens, tools, metrics, changes } = options;
  const { trustedNetworks, trustedAccess, allowedOrigins, maxSessions, sessionIdle, oauth, rate } =
    settings;
  const judge = createJudge({
    tokens,
    trusted: { networks: trustedNetworks, access: trustedAccess },
    ...(oauth && { verify: createTokenVerifier(oauth) }),
  });
  // Those of MCP and of the status page together.
  const lasting = createLasting(maxSessions);
  // Each is a connection: the other half is for everybody else, and for the probes.
  const share = createShare(Math.ceil(options.maxConnections / 2));
  const mcp = createMcpEndpoint({
    newServer: createServerFactory({ ...options, transport: "http" }),
    changes,
    limits: { max: maxSessions, idleMs: sessionIdle * 1_000, maxStreams: maxSessions },
    lasting,
    share,
  });
  const status = createStatus({
    look: (question) => tools.read<Overview>("overview", question),
    lasting,
    share,
  });
  const measure = measuring(() => tools.read<Measured>("measure", undefined));
  const app = createHttpApp({
    allowedHosts,
    allowedOrigins,
    judge,
    failures: createFailures(),
    ...(rate && { limiter: createLimiter(rate) }),
    ...(oauth && { resource: protectedResource(oauth) }),
    mcp,
    status,
    isReady: async () => isInSync(await measure()),
    metrics: () =>
      metrics.text(
        { connections: listening.open, sessions: mcp.sessions, streams: lasting.size },
        measure,
      ),
    onAnswer: metrics.onAnswer,
  });
  const listening = listen(
    { hostname: settings.host, port: settings.port },
    async (request, client) => await app.fetch(request, client),
    { ...CONNECTION_TIMES, max: options.maxConnections },
  );
  return {
    port: listening.port,
    tokensChanged() {
      const { full, read } = tokens();
      const accepted = new Set([...full, ...read].map(keyOfToken));
      const isOut = (key: string) => isKeyOfToken(key) && !accepted.has(key);
      mcp.revoke(isOut);
      lasting.revoke(isOut);
    },
    async stop(graceMs) {
      const drained = listening.drain();
      await tools.whenIdle(graceMs);
      // A call's answer leaves in the turns after its end; the GET streams never end by themselves.
      await pause(1);
      await mcp.close();
      status.close();
      lasting.close();
      await Promise.race([drained, pause(FLUSH_MS)]);
      listening.close();
    },
  };
}

function isInSync(measured: Measured | undefined): boolean {
  if (!measured?.haproxy.up || !measured.sync) return false;
  const count = Object.values(measured.sync).reduce((sum, each) => sum + each, 0);
  if (count > 0) log.debug(`Not ready: ${count} differences between disk and HAProxy.`);
  return count === 0;
}
