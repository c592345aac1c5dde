/** The two ways to run the agent: MCP over HTTP for remote clients, over stdin and stdout for a local one. */
import { type FrontSettings, type Settings, SettingsError } from "../config.ts";
import type { AgentError } from "../errors.ts";
import { log, openLog } from "../log.ts";
import { runAgent } from "./agent.ts";
import { allowedHosts, machineAddresses } from "./allowed_hosts.ts";
import type { ExitCode } from "./exit_code.ts";
import { httpGrants, STDIO_GRANTS } from "./grants.ts";
import { productRooms, type RoomEntries } from "./room.ts";
import { connectionsWithin, softLimit } from "./host/open_files.ts";
import { prepareRoot } from "./root.ts";
import { openTokenFile } from "./token_file.ts";

/** More are no use to clients, and cost memory. */
const MOST_CONNECTIONS = 4096;

/** Listens on MCP_HOST:MCP_PORT until the process is to end. Throws SettingsError for what can't be served. */
export async function serveHttp(given: Settings, entries = productRooms): Promise<ExitCode> {
  openLog("main", given.logging);
  const settings = await prepareRoot(given);
  const { front, tokenFile } = settings;
  const { tokens, watch } = await openTokenFile(tokenFile);
  const maxConnections = connectionsWithin(await softLimit(), MOST_CONNECTIONS);
  if (maxConnections < MOST_CONNECTIONS) {
    log.info(
      `${maxConnections} HTTP connections at most: the limit of open files (ulimit -n, LimitNOFILE) has no more.`,
    );
  }
  return await runAgent(settings, {
    grants: httpGrants(front),
    renews: true,
    async open(room, { tools: definitions, resources }) {
      const port = await room.call("serveHttp", {
        settings: front,
        allowedHosts: allowedHosts(front, machineAddresses()),
        definitions,
        resources,
        maxConnections,
        tokens,
        logging: settings.logging,
      }).catch((cause) => {
        throw asSettingsError(front, cause) ?? cause;
      });
      log.info(`MCP is served at http://${front.host}:${port}/mcp; the token is in ${tokenFile}.`);
      for (const network of front.trustedNetworks) {
        log.info(`No token is asked of ${network}: ${front.trustedAccess} access.`);
      }
      return watch((changed) => void room.call("setTokens", changed).catch(() => {}));
    },
  }, entries);
}

/** Speaks MCP on stdin and stdout until stdin ends. */
export async function serveStdio(
  given: Settings,
  entries: RoomEntries = productRooms,
): Promise<ExitCode> {
  openLog("main", given.logging);
  const settings = await prepareRoot(given);
  return await runAgent(settings, {
    grants: STDIO_GRANTS,
    renews: false,
    async open(room, { tools: definitions, resources }) {
      await room.call("serveStdio", {
        settings: settings.front,
        definitions,
        resources,
        logging: settings.logging,
      });
      return () => {};
    },
  }, entries);
}

/** What the front room can't use, as the setting that it is; undefined for anything else. */
function asSettingsError(front: FrontSettings, cause: AgentError): SettingsError | undefined {
  const { host, port, trustedNetworks } = front;
  const { code, message } = cause;
  if (code === "VALIDATION") {
    return new SettingsError(
      "MCP_TRUSTED_NETWORKS",
      trustedNetworks.join(","),
      `CIDR blocks are (${message})`,
    );
  }
  // The system's refusals: taken, not of this machine, not allowed.
  if (/\(os error \d+\)$/.test(message)) {
    const allowed = `an address of this machine that is free is (${message})`;
    return new SettingsError("MCP_HOST:MCP_PORT", `${host}:${port}`, allowed);
  }
}
