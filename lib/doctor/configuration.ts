/** Checks of haproxy.cfg, and of whether the running HAProxy has read it. */
import { isIP } from "node:net";
import { basename } from "node:path";
import { isUnread } from "../runtime/process.ts";
import { PLACEHOLDER_NAME } from "../state/server_state_file.ts";
import {
  type Check,
  fault,
  faultOf,
  type Finding,
  isDenied,
  named,
  need,
  ok,
  Skip,
  warning,
  worstOf,
} from "./check.ts";
import { asked } from "./asked.ts";
import { type ConfigLine, effectiveLine, linesOf, readHaproxyConfig } from "./haproxy_config.ts";
import type { Seen } from "./seen.ts";
import { initAddrOf, isName, slotLines } from "./slot_lines.ts";

/** What `serve` has open at once, and a call beside it as many. */
const CONNECTIONS_OF_ONE = 4;
/** HAProxy's own (configuration.txt, "stats maxconn"). */
const DEFAULT_STATS_MAXCONN = 10;
const WELL_KNOWN_PORTS = 1024;

const sectionsOf = (seen: Seen) => readHaproxyConfig(need(seen.config));
const at = (seen: Seen, line: ConfigLine | undefined) =>
  line ? `${basename(seen.settings.host.configFile)}, line ${line.line}: ` : "";
const RELOAD = "then reload: haproxy-mcp call haproxy_reload.";

function haproxyConfig(seen: Seen): Finding {
  const { host: { configFile } } = seen.settings;
  if ("error" in seen.config && seen.config.error.code === "NOT_FOUND") {
    return faultOf(seen.config.error);
  }
  need(seen.config);
  const { valid, errors, warnings } = need(seen.parser);
  if (!valid && errors.every(({ message }) => isDenied(message))) {
    throw new Skip(`HAProxy's check, run by this user, may not read it all: ${errors[0].message}`);
  }
  if (!valid) {
    const placed = errors.map(({ file, line, message }) =>
      line === undefined ? message : `${file}:${line}: ${message}`
    );
    return fault(
      `HAProxy refuses ${configFile}, and would not start with it: ${
        named(placed, placed.length, 2)
      }`,
      `Correct it; haproxy -c -f ${configFile} says whether it is right.`,
    );
  }
  const more = warnings.length > 0 ? ` (HAProxy warns: ${warnings[0].message})` : "";
  return ok(`HAProxy's parser takes ${configFile}${more}`);
}

function configRead(seen: Seen): Finding {
  const process = need(asked(seen, "process"));
  const { path, modified } = need(seen.host).config_file;
  const others = need(seen.otherConfigs);
  if (others.length > 0) {
    return warning(
      `HAProxy was started with ${named(others)}, not with ${path}`,
      "Let HAPROXY_CONFIG_FILE name HAProxy's own file.",
    );
  }
  if (modified === undefined) throw new Skip(`${path} can't be read (see haproxy-cfg)`);
  return isUnread(modified, process)
    ? warning(
      `${path} was edited after HAProxy read it`,
      "Make HAProxy read it: haproxy-mcp call haproxy_reload.",
    )
    : ok("HAProxy has read it as it is");
}

function initAddr(seen: Seen): Finding {
  const slots = slotLines(sectionsOf(seen)).filter(isName);
  if (slots.length === 0) throw new Skip("no pool of haproxy.cfg has slots with a host name");
  const remedy =
    "Write `default-server init-addr last,127.0.0.1` into haproxy.cfg's defaults section " +
    `(what else stands in its default-server may stay), ${RELOAD}`;
  const seenPlaces = new Set<ConfigLine | undefined>();
  const findings = slots.flatMap((slot): Finding[] => {
    const found = initAddrOf(slot);
    if (seenPlaces.has(found?.place)) return [];
    seenPlaces.add(found?.place);
    if (found === undefined) {
      return [fault(
        `${
          at(seen, slot.line)
        }no init-addr holds for the slots, so that HAProxy does not start: it would look ` +
          `${PLACEHOLDER_NAME} up`,
        remedy,
      )];
    }
    const { place, methods } = found;
    const value = `${at(seen, place)}init-addr ${methods.join(",")}`;
    if (methods.includes("libc")) {
      return [fault(
        `${value} has libc: at its next start HAProxy looks ${PLACEHOLDER_NAME} up, for up to 20 s a slot`,
        remedy,
      )];
    }
    if (!methods.includes("last")) {
      return [fault(
        `${value} lacks last: at the next start or reload slots lose the address that the state file gives them`,
        remedy,
      )];
    }
    return methods.some((method) => isIP(method) !== 0) ? [] : [fault(
      `${value} ends without an address: HAProxy can't give an empty slot one while it runs`,
      remedy,
    )];
  });
  return worstOf(findings, "free slots get an address without a look-up");
}

function stateFile(seen: Seen): Finding {
  const sections = sectionsOf(seen);
  const { files: { serverState } } = seen.settings;
  const line = linesOf(sections, "global", "server-state-file").at(-1);
  const remedy =
    `Write \`server-state-file ${serverState}\` into haproxy.cfg's global section and ` +
    `\`load-server-state-from-file global\` into its defaults section, ${RELOAD}`;
  if (line === undefined) {
    return fault(
      "haproxy.cfg names no server-state-file: after a start or reload without the agent every pool is empty",
      remedy,
    );
  }
  const [, path = ""] = line.words;
  if (basename(path) !== basename(serverState) && !path.includes("$")) {
    return fault(
      `${at(seen, line)}HAProxy reads ${path} at its start, and the agent keeps ${serverState}`,
      "Let haproxy.cfg and HAPROXY_SERVER_STATE_FILE name the same file.",
    );
  }
  const off = slotLines(sections).find(({ section }) =>
    effectiveLine(section, "load-server-state-from-file")?.words[1] !== "global"
  );
  if (off !== undefined) {
    return fault(
      `${off.section.name} does not load the server-state-file: its slots are empty after a start without the agent`,
      remedy,
    );
  }
  return readAtStart(seen, path);
}

/** What HAProxy said of the file when it started: it stays on record while the process lives. */
function readAtStart(seen: Seen, path: string): Finding {
  const process = need(seen.room).haproxy.process;
  if ("error" in process) return ok(`HAProxy reads ${path} at its start`);
  const logs = need(asked(seen, "startupLogs"));
  const [, words] = /config: (.*global server state file.*)/.exec(logs) ?? [];
  if (words === undefined) return ok(`HAProxy has read ${path}`);
  const { root, serverState } = seen.settings.files;
  // Where both are on this machine, what keeps HAProxy from reading it now is to be seen in the file.
  const isMended = path.endsWith(serverState.slice(root.length)) && isGood(seen) &&
    !/Permission/.test(words);
  return isMended
    ? ok(
      `HAProxy reads ${path} at its start; the last time it could not, since then the file was put right`,
    )
    : fault(
      `at its start HAProxy ignored the state file: ${words}`,
      `Let haproxy.cfg spell the file as HAProxy sees it (in a container a folder has to be mounted, not the file), ${RELOAD}`,
    );
}

function isGood(seen: Seen): boolean {
  const { files } = need(seen.room);
  return "value" in files && "value" in files.value.serverStateFlaw &&
    files.value.serverStateFlaw.value === null;
}

function setcap(seen: Seen): Finding {
  const sections = sectionsOf(seen);
  const quic = sections.filter(({ kind }) => kind === "frontend" || kind === "listen")
    .flatMap(({ lines }) => lines)
    .find(({ words: [first, address = ""] }) =>
      first === "bind" && address.startsWith("quic") && portOf(address) < WELL_KNOWN_PORTS
    );
  if (quic === undefined) throw new Skip("haproxy.cfg has no QUIC bind on a port below 1024");
  const user = [
    ...linesOf(sections, "global", "user"),
    ...linesOf(sections, "global", "uid"),
  ].at(-1);
  if (user === undefined || ["root", "0"].includes(user.words[1])) {
    return ok("HAProxy's workers keep the rights with which it was started");
  }
  const has = linesOf(sections, "global", "setcap").some(({ words }) =>
    /(^|,)cap_net_bind_service(,|$)/.test(words[1] ?? "")
  );
  return has ? ok("HAProxy's workers may bind QUIC's port") : fault(
    `${at(seen, quic)}workers run as ${user.words[1]}, who can't bind ${
      quic.words[1]
    }: every reload loses the HTTP/3 ` +
      "requests in flight",
    `Write \`setcap cap_net_bind_service\` into haproxy.cfg's global section, and restart HAProxy.`,
  );
}

/** `quic4@0.0.0.0:443`, `quic6@[::]:443`, or a range, `:443-445`. */
const portOf = (address: string): number =>
  Number(/:(\d+)(?:-\d+)?$/.exec(address)?.[1] ?? Infinity);

function statsMaxconn(seen: Seen): Finding {
  const line = linesOf(sectionsOf(seen), "global", "stats", "maxconn").at(-1);
  const most = line === undefined ? DEFAULT_STATS_MAXCONN : Number(line.words[2]);
  const message = line === undefined
    ? `haproxy.cfg sets no stats maxconn: the Runtime API takes ${most} connections at once`
    : `${at(seen, line)}the Runtime API takes ${most} connections at once`;
  if (most > DEFAULT_STATS_MAXCONN) return ok(message);
  return warning(
    `${message}, and one more hangs without an error; serve has up to ${CONNECTIONS_OF_ONE}, and so has each call beside it`,
    `Write \`stats maxconn 50\` into haproxy.cfg's global section, ${RELOAD}`,
  );
}

/**
 * 3.0's master binds its CLI without SO_REUSEPORT, forks the worker and binds once more as a process that reads no
 * haproxy.cfg. A worker that has not closed its copy by then, for want of CPU time, makes that fail, and the master ends.
 * 3.2's and 3.4's don't.
 */
function masterCli(seen: Seen): Finding {
  const { master, masterSocket } = seen.settings.host;
  if (master === undefined || master.startsWith("/")) {
    return ok("HAPROXY_MASTER names no master CLI on a port");
  }
  const { version } = need(asked(seen, "process"));
  const [line] = linesOf(sectionsOf(seen), "global", "noreuseport");
  if (!/^3\.0\b/.test(version) || !line) return ok(`the master CLI is at ${master}`);
  return warning(
    `${
      at(seen, line)
    }noreuseport, and the master CLI is on a port, ${master}: with both HAProxy ${version} may end as a ` +
      "whole when it starts or reloads on a busy machine",
    `Start HAProxy with its master CLI on a unix socket, \`-S ${masterSocket},mode,600\`, with mode,600,user,NAME where the ` +
      "agent runs as another user, and take HAPROXY_MASTER out; or take noreuseport out of haproxy.cfg; or run HAProxy 3.2 " +
      "or newer.",
  );
}

export const CONFIGURATION_CHECKS: readonly Check[] = [
  {
    name: "haproxy-cfg",
    group: "configuration",
    looksFor: "a haproxy.cfg that HAProxy's own parser takes",
    judge: haproxyConfig,
  },
  {
    name: "config-read",
    group: "configuration",
    looksFor: "edits of haproxy.cfg that HAProxy has not read, or another file that it runs with",
    judge: configRead,
  },
  {
    name: "init-addr",
    group: "configuration",
    looksFor: "init-addr of the slots: `last` and an address, and never `libc`",
    judge: initAddr,
  },
  {
    name: "state-file",
    group: "configuration",
    looksFor:
      "server-state-file and load-server-state-from-file, and what HAProxy said of the file at its start",
    judge: stateFile,
  },
  {
    name: "setcap",
    group: "configuration",
    looksFor: "the right that HTTP/3 on port 443 needs for a reload to lose nothing",
    judge: setcap,
  },
  {
    name: "stats-maxconn",
    group: "configuration",
    looksFor: "enough connections to the Runtime API",
    judge: statsMaxconn,
  },
  {
    name: "master-cli",
    group: "configuration",
    looksFor:
      "a master CLI that HAProxy 3.0 outlives: on a unix socket where haproxy.cfg has noreuseport",
    judge: masterCli,
  },
];
