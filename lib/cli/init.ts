/** `haproxy-mcp init`: haproxy.cfg and the folders around it, ready to start. */
import { resolve } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { SECRET_VARIABLES } from "../config/acme.ts";
import { type Settings, SettingsError, VARIABLES } from "../config.ts";
import { haproxyConfig } from "../init/config.ts";
import type { Environment } from "../init/environment_file.ts";
import { accountOfHaproxy, everyAddress } from "../init/host.ts";
import { textOf, type WrittenFile } from "../init/files.ts";
import { writeLayout } from "../init/layout.ts";
import { type InitOptions, pathProblem, paths, rootProblem } from "../init/options.ts";
import { haproxyContainer, IMAGE_ACCOUNT } from "../init/quadlet.ts";
import { agentUnit } from "../init/systemd.ts";
import { writeUnits } from "../init/units.ts";
import { canonicalIp } from "../names/address.ts";
import { parseDomain } from "../names/domain.ts";
import { takeOver } from "../takeover/mod.ts";
import { settingsOfUnit, type UnitSettings } from "../takeover/unit.ts";
import { settingsFrom } from "./flags.ts";
import { nextSteps, serveVariables, takenText, unitText } from "./init_text.ts";
import { UsageError } from "./outcome.ts";

interface InitFlags {
  readonly root?: string;
  readonly pools?: number;
  readonly slots?: number;
  readonly bind?: readonly string[];
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly mcpHost?: string;
  readonly check?: string;
  readonly systemd?: boolean;
  readonly quadlet?: boolean;
  readonly force?: boolean;
  readonly print?: boolean;
}

/** Slots in all; each is a server that HAProxy holds in memory and may check every two seconds. */
const MAX_SLOTS_IN_ALL = 100_000;

export function initCommand(): Command {
  return new Command("init")
    .description("write haproxy.cfg and the folders under the root; what exists is kept")
    .option("--root <dir>", "HAProxy's folder (HAPROXY_ROOT)", parseRoot)
    .option("--pools <n>", "how many pools (HAPROXY_POOL_COUNT)", integer(1, MAX_SLOTS_IN_ALL))
    .option("--slots <n>", "servers a pool can hold (HAPROXY_MAX_SLOTS)", integer(1, 1000))
    .option("--bind <address>", "listen on this IP address alone; may be repeated", collectAddress)
    .option("--http-port <n>", "port for HTTP", integer(1, 65535), 80)
    .option("--https-port <n>", "port for HTTPS, UDP for HTTP/3 too", integer(1, 65535), 443)
    .option("--mcp-host <name>", "host name that leads to the agent itself", parseHost)
    .option("--check <http:/path>", "check servers by GET of this path, not by TCP", parseCheck)
    .option("--systemd", "also write the agent's unit under systemd/, hardened, and its settings")
    .option("--quadlet", "HAProxy shall run in Podman: also write haproxy.container under systemd/")
    .option("--force", "replace haproxy.cfg; domains, servers and certificates always stay")
    .option("--print", "show haproxy.cfg, or those units, and write nothing")
    .addHelpText(
      "after",
      "\nExample: haproxy-mcp init --root /opt/haproxy --mcp-host mcp.example.com",
    )
    .action(async (flags: InitFlags) => {
      const systemd = flags.systemd ?? false;
      const unit = systemd ? await otherUnit() : undefined;
      const given = { ...unit?.settings, ...givenEnvironment() };
      const settings = settingsFrom({ root: flags.root }, unit?.settings);
      const options = await initOptions(flags, settings);
      if (flags.print) {
        console.log(printed(options, systemd).trimEnd());
        return;
      }
      const environment = { ...given, ...serveVariables(options, settings) };
      const taken = await takeOver(settings);
      const files = [
        ...await writeLayout(options, { force: flags.force }),
        ...await writeUnits(options, { systemd, environment }),
      ];
      console.log(files.map(describe).join("\n"));
      if (unit) console.log(unitText(unit, UNIT_FILE));
      const said = takenText(taken, settings.host.configFile, flags.force ?? false);
      if (said !== "") console.log(said);
      console.log(await nextSteps(options, settings, { files, systemd, environment }));
    });
}

function printed(options: InitOptions, systemd: boolean): string {
  const units = [
    ...(systemd ? [agentUnit(options)] : []),
    ...(options.container ? [haproxyContainer(options)] : []),
  ];
  return units.length > 0 ? units.join("\n") : haproxyConfig(options);
}

const UNIT_FILE = "/etc/systemd/system/haproxy-mcp.service";

/** The settings of a unit that ours takes the place of: the original's. */
async function otherUnit(): Promise<UnitSettings | undefined> {
  const text = await textOf(UNIT_FILE);
  if (text === undefined || text.includes("written by haproxy-mcp init")) return undefined;
  const { settings: { HAPROXY_ROOT: _, ...settings }, ...rest } = settingsOfUnit(text);
  return { settings, ...rest };
}

/** What the service shall have too: secrets stay where they are, and the root stands in the unit. */
function givenEnvironment(): Environment {
  const others = VARIABLES.filter((name) =>
    name !== "HAPROXY_ROOT" && !SECRET_VARIABLES.includes(name as typeof SECRET_VARIABLES[number])
  );
  return Object.fromEntries(
    others.flatMap((name) => Deno.env.get(name) ? [[name, Deno.env.get(name)]] : []),
  );
}

async function initOptions(flags: InitFlags, settings: Settings): Promise<InitOptions> {
  const { files, haproxy, front, host: { configFile } } = settings;
  const root = usablePath("HAPROXY_ROOT", files.root, rootProblem);
  const isOther = configFile !== paths(root).config;
  if (isOther && (flags.force || flags.quadlet)) {
    throw new UsageError(
      `${flags.force ? "--force" : "--quadlet"} is for ${
        paths(root).config
      }, and HAPROXY_CONFIG_FILE names ` +
        `${configFile}: leave one of the two away.`,
    );
  }
  const account = flags.quadlet ? IMAGE_ACCOUNT : await accountOfHaproxy();
  const options: InitOptions = {
    root,
    map: usablePath("HAPROXY_MAP_FILE", files.map, pathProblem),
    serverState: usablePath("HAPROXY_SERVER_STATE_FILE", files.serverState, pathProblem),
    pools: flags.pools ?? haproxy.poolCount,
    slots: flags.slots ?? haproxy.maxSlots,
    bind: flags.bind ?? everyAddress(),
    httpPort: flags.httpPort,
    httpsPort: flags.httpsPort,
    api: { address: loopback(haproxy.host), port: haproxy.port },
    ...(flags.mcpHost && {
      mcp: { host: flags.mcpHost, address: agentAddress(front), port: front.port },
    }),
    ...(flags.check && { checkPath: flags.check }),
    ...(account && { account }),
    ...(isOther && { otherConfig: configFile }),
    ...(flags.quadlet && {
      container: { name: settings.host.container, masterPort: masterPort(settings) },
    }),
  };
  const slots = options.pools * options.slots;
  if (slots > MAX_SLOTS_IN_ALL) {
    throw new UsageError(
      `${options.pools} pools of ${options.slots} are ${slots} slots; ${MAX_SLOTS_IN_ALL} are the most.`,
    );
  }
  const ports = [options.httpPort, options.httpsPort, options.api.port, front.port];
  if (options.container) ports.push(options.container.masterPort);
  if (new Set(ports).size < ports.length) {
    const master = options.container ? ", the master CLI (HAPROXY_MASTER)" : "";
    throw new UsageError(
      `HTTP, HTTPS, the Runtime API (HAPROXY_PORT)${master} and the agent (MCP_PORT) need a port ` +
        `each, not ${ports.join(", ")}.`,
    );
  }
  return options;
}

function usablePath(
  variable: "HAPROXY_ROOT" | "HAPROXY_MAP_FILE" | "HAPROXY_SERVER_STATE_FILE",
  path: string,
  problem: (path: string) => string | undefined,
): string {
  const why = problem(path);
  if (why !== undefined) throw new SettingsError(variable, path, why);
  return path;
}

/** The Runtime API has no password, so it is written for this machine's own programs only. */
function loopback(host: string): string {
  if (host.toLowerCase() === "localhost") return "127.0.0.1";
  const address = canonicalIp(host);
  if (address?.startsWith("127.") || address === "::1") return address;
  throw new SettingsError("HAPROXY_HOST", host, "only localhost, 127.0.0.1 and ::1 are for init");
}

/** Beside the Runtime API's 9999. */
const MASTER_PORT = 9998;

/** HAProxy's master CLI on the loopback: how the agent reaches that of a container. */
function masterPort({ host: { master } }: Settings): number {
  if (master === undefined) return MASTER_PORT;
  const [, port] = /^(?:127\.0\.0\.1|localhost):(\d+)$/.exec(master) ?? [];
  if (port !== undefined) return Number(port);
  throw new SettingsError("HAPROXY_MASTER", master, "with --quadlet 127.0.0.1:PORT is");
}

/** Where HAProxy finds the agent that listens as the settings say. */
function agentAddress({ host, port }: Settings["front"]): string {
  if (port === 0) throw new SettingsError("MCP_PORT", "0", "with --mcp-host a fixed port is");
  const address = host.toLowerCase() === "localhost" ? "127.0.0.1" : canonicalIp(host);
  if (address === undefined) {
    throw new SettingsError("MCP_HOST", host, "with --mcp-host an IP address is");
  }
  return address === "0.0.0.0" || address === "::" ? "127.0.0.1" : address;
}

function describe({ path, outcome }: WrittenFile): string {
  return `${outcome.padEnd(8)}  ${path}`;
}

function parseRoot(text: string): string {
  const why = rootProblem(text);
  if (why !== undefined) throw new InvalidArgumentError(`As a root ${why}.`);
  return resolve(text);
}

function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It has to be a whole number from ${min} to ${max}.`);
  };
}

function collectAddress(text: string, previous: readonly string[] = []): readonly string[] {
  const address = canonicalIp(text.replace(/^\[(.*)\]$/, "$1"));
  if (address === undefined) throw new InvalidArgumentError("It has to be an IP address, no port.");
  if (previous.includes(address)) throw new InvalidArgumentError("It is given twice.");
  return [...previous, address];
}

function parseHost(text: string): string {
  try {
    const { name, wildcard } = parseDomain(text);
    if (!wildcard) return name;
  } catch {
    // Its message speaks of domains for the map; here one sentence is enough.
  }
  throw new InvalidArgumentError("It has to be a host name such as mcp.example.com.");
}

function parseCheck(text: string): string {
  const [, path] = /^http:(\/(?!\/)[A-Za-z0-9._~\/?&=:@%+-]*)$/.exec(text) ?? [];
  if (path !== undefined) return path;
  throw new InvalidArgumentError("It has to be http: and a path, such as http:/healthz.");
}
