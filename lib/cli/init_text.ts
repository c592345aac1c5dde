/** What `init` prints when it is done: what it took over, and how to check, start and reach what it wrote. */
import { SECRET_VARIABLES } from "../config/acme.ts";
import type { Settings } from "../config.ts";
import { type Environment, missingLines } from "../init/environment_file.ts";
import { openFiles, type WrittenFile } from "../init/files.ts";
import { hostPort, type InitOptions, paths } from "../init/options.ts";
import { haproxyContainer } from "../init/quadlet.ts";
import { AGENT_USER, agentUnit, EXECUTABLE, haproxyDropIn } from "../init/systemd.ts";
import { ownerCommands, placingCommands } from "../init/units.ts";
import type { TakenOver } from "../takeover/mod.ts";
import type { UnitSettings } from "../takeover/unit.ts";

export interface Done {
  readonly files: readonly WrittenFile[];
  /** The agent's unit is among them. */
  readonly systemd: boolean;
  /** What the unit's settings have to say. */
  readonly environment: Environment;
}

/**
 * @param configFile HAProxy's
 * @param replaced it is a new one, so nothing of it is lacking
 */
export function takenText(
  { done, left, config }: TakenOver,
  configFile: string,
  replaced: boolean,
): string {
  const part = (title: string, sentences: readonly string[]) =>
    sentences.length === 0 ? "" : ["", title, ...sentences.map((one) => `- ${one}`), ""].join("\n");
  return [
    part("Taken over from the original:", done),
    part("Left to you:", left),
    part(`For full function ${configFile}, which is yours, lacks:`, replaced ? [] : config),
  ].join("").trimEnd();
}

/** @param path of the unit. Its values may be secrets. */
export function unitText({ settings, unknown, files }: UnitSettings, path: string): string {
  const names = Object.keys(settings);
  return [
    "",
    `${path} is another one's. ` +
    (names.length > 0
      ? `Its settings are taken over: ${names.join(", ")}.`
      : "It has no setting that is one here."),
    ...(unknown.length > 0 ? [`Not known here: ${unknown.join(", ")}.`] : []),
    ...files.map((file) => `It reads more from ${file}: copy what is needed.`),
  ].join("\n");
}

export async function nextSteps(
  options: InitOptions,
  settings: Settings,
  done: Done,
): Promise<string> {
  const { config } = paths(options.root);
  const lines = [
    // Then the options of this run are not in it.
    ...(done.files.some(({ path, outcome }) => path === config && outcome === "kept")
      ? ["", `${config} was there and is kept, with its own pools and ports: --force replaces it.`]
      : []),
    ...(options.bind.includes("0.0.0.0") && !options.bind.includes("::")
      ? ["", "HAProxy listens on IPv4 alone."]
      : []),
    ...await keptSettings(options, done),
    ...(options.otherConfig === undefined ? [] : besideSteps(options, done)),
    "",
    ...(done.systemd || options.container ? serviceSteps(options, settings, done) : [
      "Check it:         haproxy -c -f " + (options.otherConfig ?? config),
      "Start HAProxy:    " + startCommand(options),
      startAgent(options, settings),
    ]),
  ];
  if (options.mcp) {
    lines.push(
      ...(done.systemd ? [""] : []),
      `Reach it at:      https://${mcpAuthority(options)}/mcp, once that name has a certificate`,
    );
  }
  return lines.join("\n");
}

/** For a HAProxy that runs by a configuration of its own. */
function besideSteps({ root, otherConfig }: InitOptions, { systemd }: Done): string[] {
  const { masterSocket } = paths(root);
  const socket = `${masterSocket},mode,600${systemd ? `,user,${AGENT_USER}` : ""}`;
  return [
    "",
    `HAProxy runs by ${otherConfig}, so no haproxy.cfg was written. For reloads by the agent start it with`,
    `  -S ${socket}`,
    "(for Debian's haproxy.service: EXTRAOPTS in /etc/default/haproxy), or let HAPROXY_MASTER name what it has.",
  ];
}

/** Settings that were there already stay the user's, and may lack what this run would have set. */
async function keptSettings(
  { root }: InitOptions,
  { files, environment }: Done,
): Promise<readonly string[]> {
  const path = paths(root).environment;
  if (!files.some((file) => file.path === path && file.outcome === "kept")) return [];
  const missing = missingLines(await openFiles(root).text(path) ?? "", environment);
  return missing.length === 0 ? [] : ["", `${path} was there and is kept. Put into it:`]
    .concat(missing.map((line) => `  ${withoutSecret(line)}`));
}

function withoutSecret(line: string): string {
  const secret = SECRET_VARIABLES.find((name) => line.startsWith(`${name}=`));
  return secret === undefined ? line : `${secret}=…`;
}

function serviceSteps(options: InitOptions, settings: Settings, { systemd }: Done): string[] {
  const part = (
    title: string,
    commands: readonly string[],
  ) => [title, ...commands.map((command) => `  ${command}`), ""];
  return [
    ...(systemd
      ? part("As root, all of which scripts/install.sh does too:", ownerCommands(options))
      : []),
    ...(options.container
      ? part("HAProxy in Podman, as root:", placingCommands(haproxyContainer(options)))
      : options.otherConfig !== undefined
      ? []
      : [
        ...part(
          "HAProxy, by the haproxy.service of Debian or Ubuntu:",
          placingCommands(haproxyDropIn(options)),
        ),
        ...part("or by hand:", [startCommand(options, AGENT_USER)]),
      ]),
    ...(systemd
      ? part(`The agent, once it is ${EXECUTABLE}:`, placingCommands(agentUnit(options)))
        .slice(0, -1)
      : [startAgent(options, settings)]),
  ];
}

/**
 * Master-worker, so that a reload loses nothing. The master CLI can stop and reload HAProxy without a
 * password: a socket that its owner alone can open, and not a loopback port that every local user can.
 *
 * @param user the agent's, where that is not the one who starts HAProxy
 */
export function startCommand({ root, otherConfig }: InitOptions, user?: string): string {
  const { config, masterSocket } = paths(root);
  const socket = `${masterSocket},mode,600${user ? `,user,${user}` : ""}`;
  return `haproxy -W -S ${socket} -f ${otherConfig ?? config}`;
}

function startAgent(options: InitOptions, settings: Settings): string {
  const given = settingsOf(settings);
  const variables = Object.entries(serveVariables(options, settings))
    .filter(([name, value]) => given[name as keyof typeof given] !== value)
    .map(([name, value]) => `${name}=${value}`);
  return "Start the agent:  " + [...variables, `haproxy-mcp serve${rootFlag(options)}`].join(" ");
}

const settingsOf = ({ haproxy }: Settings): Environment => ({
  HAPROXY_POOL_COUNT: String(haproxy.poolCount),
  HAPROXY_MAX_SLOTS: String(haproxy.maxSlots),
});

/** The settings with which `serve` fits to what was written. */
export function serveVariables(options: InitOptions, settings: Settings): Environment {
  const { pools, slots, api, mcp, container } = options;
  const { allowedHosts } = settings.front;
  const names = new Set(allowedHosts ?? ["localhost", "127.0.0.1"]);
  return {
    ...(api.port !== 9999 && { HAPROXY_PORT: String(api.port) }),
    ...(pools !== 100 && { HAPROXY_POOL_COUNT: String(pools) }),
    ...(slots !== 10 && { HAPROXY_MAX_SLOTS: String(slots) }),
    ...(container && { HAPROXY_MASTER: `127.0.0.1:${container.masterPort}` }),
    ...(mcp && !allowedHosts?.includes(mcp.host) && {
      MCP_ALLOWED_HOSTS: [...names, mcp.host].join(","),
    }),
  };
}

function rootFlag({ root }: InitOptions): string {
  return root === "/opt/haproxy" ? "" : ` --root ${root}`;
}

function mcpAuthority({ mcp, httpsPort }: InitOptions): string {
  return httpsPort === 443 ? mcp!.host : hostPort(mcp!.host, httpsPort);
}
