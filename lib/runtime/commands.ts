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
