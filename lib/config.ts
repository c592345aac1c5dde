/**
 * Settings: read from the environment and the command line's flags once, by main, validated, and
 * handed to the rooms as plain data. Names and defaults are the contract's.
 */
import { isIP } from "node:net";
import { isAbsolute, join, resolve } from "node:path";
import { ACME_VARIABLES, type AcmeSettings, readAcmeSettings } from "./config/acme.ts";
import { OAUTH_VARIABLES, type OAuthSettings, readOAuthSettings } from "./config/oauth.ts";
import { CONTROL, type Environment, reader, SettingsError } from "./config/reader.ts";
import { TOOL_GROUPS, type ToolGroup } from "./tool_definition.ts";

export type { AcmeSettings, OAuthSettings };
export { SettingsError };

export const LOG_LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR"] as const;
export type LogLevel = typeof LOG_LEVELS[number];
export const LOG_FORMATS = ["text", "json"] as const;

export interface Logging {
  /** The least that is written. */
  readonly level: LogLevel;
  /** A line a record either way. */
  readonly format: typeof LOG_FORMATS[number];
}

/** Every file that the tools room reads or writes; absolute, all under `root`. */
export interface Files {
  readonly root: string;
  /** domain → pool, read by HAProxy and by us. */
  readonly map: string;
  readonly servers: string;
  /** What HAProxy reads at its own start (server-state-file). */
  readonly serverState: string;
  /** The user's own copy: written by save_state, read by restore_state. */
  readonly savedState: string;
  /** The certificates' PEM files, one a domain. */
  readonly certsFolder: string;
  /** Which domains have a certificate. */
  readonly certificates: string;
  /** The certificates that HAProxy reads at its start. */
  readonly crtList: string;
  readonly lock: string;
  /** Held while certificates are ordered. */
  readonly renewalLock: string;
  /** Held while HAProxy is asked or told about certificates. */
  readonly certificateLock: string;
  readonly journal: string;
  /** The restore that is under way. */
  readonly restoreJournal: string;
  /** What the last restore replaced, as a backup with secrets. */
  readonly beforeRestore: string;
  /** The certificate change that is under way. */
  readonly certificateJournal: string;
  readonly audit: string;
  /** Held while a full audit log makes room. */
  readonly auditLock: string;
  /** Account keys at the CA, what acme.sh has issued, certificates kept for a next try. */
  readonly acmeFolder: string;
}

export interface HaproxySettings {
  /** Runtime API, TCP. */
  readonly host: string;
  readonly port: number;
  /** The map's spelling in HAProxy; undefined: found by `show map`. */
  readonly mapName?: string;
  /** Pools are `pool_1` to `pool_COUNT`, slots `pool_N_1` to `pool_N_SLOTS`. */
  readonly poolCount: number;
  readonly maxSlots: number;
}

export const RELOAD_WAYS = ["master", "podman", "systemd"] as const;
export type ReloadWay = typeof RELOAD_WAYS[number];

/** Where HAProxy's process is reached from outside the sandbox. Read by main only. */
export interface HostSettings {
  /** haproxy.cfg as this machine sees it; may lie outside of the root. */
  readonly configFile: string;
  /** The master CLI: `host:port` or the absolute path of a unix socket; undefined: `masterSocket` where it exists. */
  readonly master?: string;
  /** Where init tells HAProxy to put its master CLI. */
  readonly masterSocket: string;
  /** Name or absolute path of the program; undefined: `haproxy` in PATH. */
  readonly binary?: string;
  /** Podman's name for HAProxy's container. */
  readonly container: string;
  readonly reload: "auto" | ReloadWay;
}

export type Access = "full" | "read";

/** ask: where the client can show a question; require: `confirm=true` where it can't; off: never. */
export type Confirm = "ask" | "require" | "off";

/** Requests of one token, else of one socket address. */
export interface RateLimit {
  readonly perSecond: number;
  /** So many at once after a pause. */
  readonly burst: number;
}

export interface FrontSettings {
  readonly host: string;
  readonly port: number;
  /** CIDR blocks whose socket addresses need no token. */
  readonly trustedNetworks: readonly string[];
  readonly trustedAccess: Access;
  /** Host header names; undefined: loopback names and every address of this machine. */
  readonly allowedHosts?: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Undefined: the token file's tokens are the only ones. */
  readonly oauth?: OAuthSettings;
  /** Undefined: no limit. */
  readonly rate?: RateLimit;
  readonly confirm: Confirm;
  readonly readOnly: boolean;
  readonly toolsets: readonly ToolGroup[];
  readonly maxSessions: number;
  /** Seconds. */
  readonly sessionIdle: number;
}

export interface Settings {
  readonly files: Files;
  readonly haproxy: HaproxySettings;
  readonly host: HostSettings;
  readonly front: FrontSettings;
  /** Read by main only, which hands the acme room its part. */
  readonly acme: AcmeSettings;
  /** Read by main only. */
  readonly tokenFile: string;
  readonly confirm: Confirm;
  readonly logging: Logging;
}

/** The variables this version reads, so that main asks the environment for these and no others. */
export const VARIABLES = [
  ...ACME_VARIABLES,
  ...OAUTH_VARIABLES,
  "HAPROXY_BINARY",
  "HAPROXY_CERTS_DIR",
  "HAPROXY_CERTS_FILE",
  "HAPROXY_CONFIG_FILE",
  "HAPROXY_CONTAINER",
  "HAPROXY_CRT_LIST",
  "HAPROXY_HOST",
  "HAPROXY_MAP_FILE",
  "HAPROXY_MAP_NAME",
  "HAPROXY_MASTER",
  "HAPROXY_MAX_SLOTS",
  "HAPROXY_POOL_COUNT",
  "HAPROXY_PORT",
  "HAPROXY_RELOAD",
  "HAPROXY_ROOT",
  "HAPROXY_SERVERS_FILE",
  "HAPROXY_SERVER_STATE_FILE",
  "HAPROXY_STATE_FILE",
  "LOG_FORMAT",
  "LOG_LEVEL",
  "MCP_ALLOWED_HOSTS",
  "MCP_ALLOWED_ORIGINS",
  "MCP_CONFIRM",
  "MCP_HOST",
  "MCP_MAX_SESSIONS",
  "MCP_PORT",
  "MCP_RATE",
  "MCP_READ_ONLY",
  "MCP_SESSION_IDLE",
  "MCP_TOKEN_FILE",
  "MCP_TOOLSETS",
  "MCP_TRUSTED_ACCESS",
  "MCP_TRUSTED_NETWORKS",
] as const;
export type Variable = typeof VARIABLES[number];

/** What the Python original has, too. */
export const DEFAULT_ROOT = "/opt/haproxy";

/**
 * Throws SettingsError for the first variable that is not usable.
 *
 * @param env the environment, flags already laid over it; an empty value counts as not set
 */
export function readSettings(env: Environment): Settings {
  const { text, list, integer, choice, hostName, flag } = reader<Variable>(env);

  const root = text("HAPROXY_ROOT", DEFAULT_ROOT);
  if (!isAbsolute(root)) throw new SettingsError("HAPROXY_ROOT", root, "an absolute path is");
  const base = resolve(root);
  const own = {
    lock: join(base, "data/lock"),
    renewalLock: join(base, "data/renewal.lock"),
    certificateLock: join(base, "data/certificates.lock"),
    journal: join(base, "data/journal/changes.jsonl"),
    restoreJournal: join(base, "data/journal/restore.json"),
    beforeRestore: join(base, "data/backup-before-restore.tar"),
    certificateJournal: join(base, "data/journal/certificate.json"),
    audit: join(base, "data/audit.jsonl"),
    auditLock: join(base, "data/audit.lock"),
    acmeFolder: join(base, "data/acme"),
  };
  const taken = new Set(Object.values(own));
  const inRoot = (name: Variable, fallback: string) => {
    const path = resolve(base, text(name, join(base, fallback)));
    if (!path.startsWith(`${base}/`)) {
      throw new SettingsError(name, path, `a file under HAPROXY_ROOT (${base}) is`);
    }
    if (taken.has(path)) {
      throw new SettingsError(name, path, "a file that has no other use here is");
    }
    taken.add(path);
    return path;
  };

  const trustedNetworks = list("MCP_TRUSTED_NETWORKS", "100.64.0.0/10").filter((n) => n !== "none");
  for (const network of trustedNetworks) {
    const [address, length, ...rest] = network.split("/");
    const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
    if (!/^\d{1,3}$/.test(length ?? "") || Number(length) > bits || rest.length > 0) {
      throw new SettingsError("MCP_TRUSTED_NETWORKS", network, "CIDR blocks or none are");
    }
  }
  const toolsets = list("MCP_TOOLSETS", "all");
  for (const group of toolsets) {
    if (group !== "all" && !TOOL_GROUPS.includes(group as ToolGroup)) {
      throw new SettingsError("MCP_TOOLSETS", group, `all, ${TOOL_GROUPS.join(", ")} are`);
    }
  }
  const mapName = text("HAPROXY_MAP_NAME", "");
  if (mapName && !/^[!-~]{1,1024}$/.test(mapName)) {
    throw new SettingsError("HAPROXY_MAP_NAME", mapName, "a path without blanks is");
  }
  const master = text("HAPROXY_MASTER", "");
  if (master && !isMasterAddress(master)) {
    throw new SettingsError("HAPROXY_MASTER", master, "host:port or a unix socket's path is");
  }
  const binary = text("HAPROXY_BINARY", "");
  if (binary && (CONTROL.test(binary) || (binary.includes("/") && !isAbsolute(binary)))) {
    throw new SettingsError("HAPROXY_BINARY", binary, "a program's name or absolute path is");
  }
  // Main runs it, and whatever lies under the root the tools room can write.
  if (isAbsolute(binary) && resolve(binary).startsWith(`${base}/`)) {
    throw new SettingsError("HAPROXY_BINARY", binary, "a program outside of HAPROXY_ROOT is");
  }
  const configFile = resolve(base, text("HAPROXY_CONFIG_FILE", join(base, "conf/haproxy.cfg")));
  if (CONTROL.test(configFile)) {
    throw new SettingsError("HAPROXY_CONFIG_FILE", configFile, "a path of one line is");
  }
  // Podman's grammar of names. A leading hyphen would be an option.
  const container = text("HAPROXY_CONTAINER", "haproxy");
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,252}$/.test(container)) {
    throw new SettingsError("HAPROXY_CONTAINER", container, "a container's name is");
  }
  const allowedHosts = list("MCP_ALLOWED_HOSTS", "");
  const confirm = choice("MCP_CONFIRM", "ask", ["ask", "require", "off"]);
  const oauth = readOAuthSettings(env);
  const rate = readRate(text("MCP_RATE", "50/100"));

  return {
    files: {
      root: base,
      map: inRoot("HAPROXY_MAP_FILE", "conf/domains.map"),
      servers: inRoot("HAPROXY_SERVERS_FILE", "conf/servers.json"),
      serverState: inRoot("HAPROXY_SERVER_STATE_FILE", "conf/servers.state"),
      savedState: inRoot("HAPROXY_STATE_FILE", "data/servers.state"),
      certsFolder: inRoot("HAPROXY_CERTS_DIR", "certs"),
      certificates: inRoot("HAPROXY_CERTS_FILE", "conf/certificates.json"),
      crtList: inRoot("HAPROXY_CRT_LIST", "certs/crt-list.txt"),
      ...own,
    },
    haproxy: {
      host: hostName("HAPROXY_HOST", "localhost"),
      port: integer("HAPROXY_PORT", 9999, 1, 65535),
      ...(mapName && { mapName }),
      poolCount: integer("HAPROXY_POOL_COUNT", 100, 1, 100_000),
      maxSlots: integer("HAPROXY_MAX_SLOTS", 10, 1, 1_000),
    },
    host: {
      configFile,
      ...(master && { master }),
      masterSocket: join(base, "run/master.sock"),
      ...(binary && { binary }),
      container,
      reload: choice("HAPROXY_RELOAD", "auto", ["auto", ...RELOAD_WAYS]),
    },
    front: {
      confirm,
      ...(oauth && { oauth }),
      ...(rate && { rate }),
      host: hostName("MCP_HOST", "0.0.0.0"),
      port: integer("MCP_PORT", 8000, 0, 65535),
      trustedNetworks,
      trustedAccess: choice("MCP_TRUSTED_ACCESS", "full", ["full", "read"]),
      ...(allowedHosts.length && { allowedHosts }),
      allowedOrigins: list("MCP_ALLOWED_ORIGINS", ""),
      readOnly: flag("MCP_READ_ONLY", false),
      toolsets: toolsets.includes("all") ? TOOL_GROUPS : toolsets as ToolGroup[],
      maxSessions: integer("MCP_MAX_SESSIONS", 1000, 1, 100_000),
      sessionIdle: integer("MCP_SESSION_IDLE", 1800, 1, 86_400),
    },
    acme: readAcmeSettings(env, base),
    tokenFile: resolve(base, text("MCP_TOKEN_FILE", join(base, "conf/mcp-token.env"))),
    confirm,
    logging: {
      level: choice("LOG_LEVEL", "INFO", LOG_LEVELS),
      format: choice("LOG_FORMAT", "text", LOG_FORMATS),
    },
  };
}

/** `50/100`: requests a second, and how many at once; 0 is no limit. */
function readRate(value: string): RateLimit | undefined {
  if (value === "0") return undefined;
  const [, perSecond, burst] = /^(\d{1,6})\/(\d{1,6})$/.exec(value) ?? [];
  if (Number(perSecond) >= 1 && Number(burst) >= 1) {
    return { perSecond: Number(perSecond), burst: Number(burst) };
  }
  throw new SettingsError("MCP_RATE", value, "requests a second / burst, such as 50/100, or 0 is");
}

/** The kernel takes 107 bytes of a unix socket's path (unix(7)). */
function isMasterAddress(address: string): boolean {
  if (address.startsWith("/")) return /^[!-~]{2,107}$/.test(address);
  const [, v6, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|[0-9A-Za-z._-]{1,253}):(\d{1,5})$/.exec(address) ??
    [];
  return Number(port) >= 1 && Number(port) <= 65535 && (v6 === undefined || isIP(v6) === 6);
}
