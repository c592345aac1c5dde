/** The Runtime API's commands that the agent uses, one function each. Every argument has its grammar. */
import { AgentError } from "../errors.ts";
import { canonicalIp, isPort } from "../names/address.ts";
import { isWeight, SERVER_STATES, type ServerState } from "../names/server.ts";
import { type Command, encode } from "./encode.ts";

/** Names of proxies and servers (configuration.txt 4). */
const NAME = /^[A-Za-z0-9_.:-]{1,255}$/;
/** A key or value of the domain map. */
const MAP_WORD = /^[A-Za-z0-9_.*:-]{1,255}$/;

export const isMapWord = (text: string): boolean => MAP_WORD.test(text);

function fits(what: string, value: string, grammar: RegExp): string {
  if (grammar.test(value)) return value;
  throw new AgentError("VALIDATION", `${JSON.stringify(value.slice(0, 300))} is not a ${what}.`);
}

const serverPath = (backend: string, server: string) =>
  `${fits("backend name", backend, NAME)}/${fits("server name", server, NAME)}`;

/** A map as HAProxy names it: its path exactly as in haproxy.cfg. */
const mapName = (map: string) => fits("map name", map, /^[!-~]{1,4096}$/);

export const showInfo = (): Command => encode(["show", "info"], "data");

/** The level of this very connection: user, operator or admin. */
export const showCliLevel = (): Command => encode(["show", "cli", "level"], "data");

/** What HAProxy said when it started, as on its stderr. */
export const showStartupLogs = (): Command => encode(["show", "startup-logs"], "data");

export const showActivity = (): Command => encode(["show", "activity"], "data");

export const showMaps = (): Command => encode(["show", "map"], "data");

export const showMap = (map: string): Command => encode(["show", "map", mapName(map)], "data");

export const getMap = (map: string, key: string): Command =>
  encode(["get", "map", mapName(map), fits("map key", key, MAP_WORD)], "data");

/** Adds a second entry where the key exists; look-ups then keep the first one's value. */
export const addMap = (map: string, key: string, value: string): Command =>
  encode(
    ["add", "map", mapName(map), fits("map key", key, MAP_WORD), fits("map value", value, NAME)],
    "silence",
  );

/** Changes every entry of the key; an error where there is none. */
export const setMap = (map: string, key: string, value: string): Command =>
  encode(
    ["set", "map", mapName(map), fits("map key", key, MAP_WORD), fits("map value", value, NAME)],
    "silence",
  );

/** 3.4 removes only one of several entries with this key. */
export const delMap = (map: string, key: string): Command =>
  encode(["del", "map", mapName(map), fits("map key", key, MAP_WORD)], "silence");

export const showServersState = (backend?: string): Command =>
  encode(
    [
      "show",
      "servers",
      "state",
      ...(backend === undefined ? [] : [fits("backend name", backend, NAME)]),
    ],
    "data",
  );

/** The server rows (type 4) of one backend. */
export const showServerStat = (backend: string): Command =>
  encode(["show", "stat", fits("backend name", backend, NAME), "4", "-1"], "data");

/** The rows of one backend and of its servers (types 2 and 4). A number is taken for a backend's id: look at the names. */
export const showOneBackendStat = (backend: string): Command =>
  encode(["show", "stat", fits("backend name", backend, NAME), "6", "-1"], "data");

/** The rows of all backends and of their servers (types 2 and 4) but for servers in maint: idle slots cost nothing. */
export const showBackendStat = (): Command =>
  encode(["show", "stat", "-1", "6", "-1", "no-maint"], "data");

/** The rows of all frontends and backends (types 1 and 2). */
export const showProxyStat = (): Command => encode(["show", "stat", "-1", "3", "-1"], "data");

/** The rows of all frontends (type 1). */
export const showFrontendStat = (): Command => encode(["show", "stat", "-1", "1", "-1"], "data");

/** HAProxy takes ports modulo 65536, so they are checked here. */
export function setServerAddress(
  backend: string,
  server: string,
  ip: string,
  port: number,
): Command {
  const address = canonicalIp(ip);
  if (address === undefined) throw new AgentError("VALIDATION", `${ip} is not an IP address.`);
  if (!isPort(port)) throw new AgentError("VALIDATION", `${port} is not a port.`);
  const path = serverPath(backend, server);
  return encode(["set", "server", path, "addr", address, "port", String(port)], "address");
}

export function setServerState(backend: string, server: string, state: ServerState): Command {
  if (!SERVER_STATES.includes(state)) {
    throw new AgentError("VALIDATION", `${state} is not a state.`);
  }
  return encode(["set", "server", serverPath(backend, server), "state", state], "silence");
}

export function setServerWeight(backend: string, server: string, weight: number): Command {
  if (!isWeight(weight)) throw new AgentError("VALIDATION", `${weight} is not a weight.`);
  return encode(
    ["set", "server", serverPath(backend, server), "weight", String(weight)],
    "silence",
  );
}

/** Takes the checks' verdict DOWN back at once, until the next check. */
export const setServerHealthUp = (backend: string, server: string): Command =>
  encode(["set", "server", serverPath(backend, server), "health", "up"], "silence");

/**
 * A certificate or crt-list as HAProxy names it: its path exactly as in haproxy.cfg or in the crt-list. `*` before one
 * would mean its open transaction, and brackets would begin the options of a crt-list's line.
 */
const FILE_NAME = /^(?![*#])(?!.*(?:<<|[[\];\\"']))[!-~]{1,1024}$/;
const certificateName = (name: string) => fits("certificate's name", name, FILE_NAME);
const crtListName = (list: string) => fits("crt-list's name", list, FILE_NAME);

export const isCertificateName = (text: string): boolean => FILE_NAME.test(text);

/** A line of a crt-list: the certificate, its own TLS options, and the names that it is for (none: its own). */
export interface CrtListEntry {
  readonly path: string;
  /** Words: `ssl-min-ver`, `TLSv1.2`. */
  readonly options: readonly string[];
  /** SNI: `a.test`, `*.a.test`, `!b.a.test`. */
  readonly filters: readonly string[];
}

/** A word of a crt-list's options or filters; whether it means anything is HAProxy's to judge. */
const CRT_LIST_WORD = /^(?!.*(?:<<|[[\];\\"']))[!-~]{1,1024}$/;

export const isCrtListWord = (text: string): boolean => CRT_LIST_WORD.test(text);

/** The names of all certificates, and of the one that an open transaction is about. */
export const showCertificates = (): Command => encode(["show", "ssl", "cert"], "data");

export const showCertificate = (name: string): Command =>
  encode(["show", "ssl", "cert", certificateName(name)], "data");

/** What an open transaction would make of the certificate. */
export const showPendingCertificate = (name: string): Command =>
  encode(["show", "ssl", "cert", `*${certificateName(name)}`], "data");

/** An empty store of this name. Needed once, before `set`. */
export const newCertificate = (name: string): Command =>
  encode(["new", "ssl", "cert", certificateName(name)], "new cert");

/**
 * Opens a transaction, of which HAProxy has one at a time.
 *
 * @param pem key, certificate and chain; nothing else, and no blank line
 */
export const setCertificate = (name: string, pem: string): Command =>
  encode(["set", "ssl", "cert", certificateName(name)], "set cert", { pem });

/** The transaction stays open where it fails. */
export const commitCertificate = (name: string): Command =>
  encode(["commit", "ssl", "cert", certificateName(name)], "commit cert");

export const abortCertificate = (name: string): Command =>
  encode(["abort", "ssl", "cert", certificateName(name)], "abort cert");

/** Only one that no crt-list and no bind line uses. */
export const delCertificate = (name: string): Command =>
  encode(["del", "ssl", "cert", certificateName(name)], "del cert");

export const showCrtLists = (): Command => encode(["show", "ssl", "crt-list"], "data");

/** Its lines with their numbers. */
export const showCrtList = (list: string): Command =>
  encode(["show", "ssl", "crt-list", "-n", crtListName(list)], "data");

/**
 * Adds a second line where there is one already. Options stand right behind the path and no word holds a bracket:
 * HAProxy (3.0, 3.2 and 3.4) loops over a line with options behind its filters, until its watchdog kills the process.
 */
export function addToCrtList(list: string, { path, options, filters }: CrtListEntry): Command {
  const words = ["add", "ssl", "crt-list", crtListName(list)];
  const certificate = certificateName(path);
  if (options.length + filters.length === 0) return encode([...words, certificate], "add crt-list");
  for (const word of [...options, ...filters]) fits("crt-list's word", word, CRT_LIST_WORD);
  const twice = repeatedStoreOption(options);
  if (twice !== undefined) {
    throw new AgentError("VALIDATION", `The option ${twice} stands twice in a crt-list's line.`);
  }
  const bracketed = options.length === 0 ? [] : `[${options.join(" ")}]`.split(" ");
  return encode(words, "add crt-list", { words: [certificate, ...bracketed, ...filters] });
}

/** Options of the certificate's store. HAProxy (3.2) does not survive a line that has one of them twice. */
const STORE_OPTIONS = [
  "crt",
  "key",
  "ocsp",
  "issuer",
  "sctl",
  "ocsp-update",
  "alias",
  "acme",
  "domains",
  "jwt",
];

export const repeatedStoreOption = (options: readonly string[]): string | undefined =>
  STORE_OPTIONS.find((name) => options.indexOf(name) !== options.lastIndexOf(name));

/** @param line its number, needed where several lines are about the certificate */
export function delFromCrtList(list: string, name: string, line?: number): Command {
  if (line !== undefined && !(Number.isSafeInteger(line) && line > 0)) {
    throw new AgentError("VALIDATION", `${line} is not a line of a crt-list.`);
  }
  const entry = line === undefined ? certificateName(name) : `${certificateName(name)}:${line}`;
  return encode(["del", "ssl", "crt-list", crtListName(list), entry], "del crt-list");
}
