/** What `init` prints when it is done: how to check, start and reach what it wrote. */
import type { Settings } from "../config.ts";
import { hostPort, type InitOptions, paths } from "../init/options.ts";

/** @param kept haproxy.cfg was there already, so the options of this run are not in it */
export function nextSteps(options: InitOptions, settings: Settings, kept: boolean): string {
  const { config } = paths(options.root);
  const lines = [
    ...(kept
      ? ["", `${config} was there and is kept, with its own pools and ports: --force replaces it.`]
      : []),
    ...(options.bind.includes("0.0.0.0") && !options.bind.includes("::")
      ? ["", "HAProxy listens on IPv4 alone."]
      : []),
    "",
    "Check it:         haproxy -c -f " + config,
    "Start HAProxy:    " + startCommand(options),
    "Start the agent:  " + serveCommand(options, settings),
  ];
  if (options.mcp) {
    lines.push(
      `Reach it at:      https://${mcpAuthority(options)}/mcp, once that name has a certificate`,
    );
  }
  return lines.join("\n");
}

/**
 * Master-worker, so that a reload loses nothing. The master CLI can stop and reload HAProxy without a
 * password: a socket that its owner alone can open, and not a loopback port that every local user can.
 */
export function startCommand({ root }: InitOptions): string {
  const { config, masterSocket } = paths(root);
  return `haproxy -W -S ${masterSocket},mode,600 -f ${config}`;
}

function serveCommand(options: InitOptions, { haproxy, front }: Settings): string {
  const { pools, slots, mcp } = options;
  const names = new Set(front.allowedHosts ?? ["localhost", "127.0.0.1"]);
  const variables = [
    ...(haproxy.port !== 9999 ? [`HAPROXY_PORT=${haproxy.port}`] : []),
    ...(pools !== haproxy.poolCount ? [`HAPROXY_POOL_COUNT=${pools}`] : []),
    ...(slots !== haproxy.maxSlots ? [`HAPROXY_MAX_SLOTS=${slots}`] : []),
    ...(mcp && !front.allowedHosts?.includes(mcp.host)
      ? [`MCP_ALLOWED_HOSTS=${[...names, mcp.host].join(",")}`]
      : []),
  ];
  return [...variables, `haproxy-mcp serve${rootFlag(options)}`].join(" ");
}

function rootFlag({ root }: InitOptions): string {
  return root === "/opt/haproxy" ? "" : ` --root ${root}`;
}

function mcpAuthority({ mcp, httpsPort }: InitOptions): string {
  return httpsPort === 443 ? mcp!.host : hostPort(mcp!.host, httpsPort);
}
