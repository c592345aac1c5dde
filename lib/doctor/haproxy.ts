/** Checks of HAProxy as it runs. */
import { counted } from "../counted.ts";
import { countsInWords } from "../reconcile/subject.ts";
import { PLACEHOLDER_NAME } from "../state/server_state_file.ts";
import {
  type Check,
  fault,
  faultOf,
  type Finding,
  named,
  need,
  ok,
  Skip,
  warning,
  worstOf,
} from "./check.ts";
import { asked, askedAsAdmin, underRoot } from "./asked.ts";
import { listensOn } from "./haproxy_config.ts";
import type { Seen } from "./seen.ts";

const OLDEST = [3, 0];
/** A busy site has more; HAProxy works the number out from the open files that it may have. */
const FEW_CONNECTIONS = 1_000;

function runtimeApi(seen: Seen): Finding {
  const { process } = need(seen.room).haproxy;
  const { settings: { haproxy: { host, port }, host: { configFile, masterSocket } } } = seen;
  if ("value" in process) {
    const { version, pid } = process.value;
    return ok(`HAProxy ${version} answers at ${host}:${port}, process ${pid}`);
  }
  const { code, message, hint = "" } = process.error;
  if (code === "CONFLICT") return ok(`more than one HAProxy answers at ${host}:${port}`);
  if (/is not HAProxy|did not answer/.test(message)) return faultOf(process.error);
  if ("value" in seen.config && !listensOn(seen.config.value, port)) {
    return fault(
      message,
      `${configFile} has no Runtime API on port ${port}: put \`stats socket ipv4@127.0.0.1:${port} level admin\` into its ` +
        "global section, or correct HAPROXY_HOST and HAPROXY_PORT.",
    );
  }
  return fault(
    message,
    `${hint} By hand: haproxy -W -S ${masterSocket},mode,600 -f ${configFile}`.trim(),
  );
}

function oneHaproxy(seen: Seen): Finding {
  const { process } = need(seen.room).haproxy;
  if ("value" in process) return ok("one HAProxy process answers");
  const { code, message } = process.error;
  if (code !== "CONFLICT") throw new Skip("HAProxy does not answer (see runtime-api)");
  return fault(
    message,
    "Find them: ss -ltnp 'sport = :PORT'. Stop the one that should not be there, then run doctor again."
      .replace("PORT", String(seen.settings.haproxy.port)),
  );
}

function adminLevel(seen: Seen): Finding {
  const level = need(asked(seen, "level"));
  if (level === "admin") return ok("the Runtime API is at admin level");
  return fault(
    `the Runtime API is at level ${level}, which may change nothing`,
    `Write \`level admin\` behind the \`stats socket\` of port ${seen.settings.haproxy.port} in ` +
      `${seen.settings.host.configFile}, and reload HAProxy.`,
  );
}

function version(seen: Seen): Finding {
  const running = need(asked(seen, "process")).version;
  const numbers = /^(\d+)\.(\d+)/.exec(running)?.slice(1).map(Number);
  if (numbers === undefined) throw new Skip(`HAProxy calls its version ${running}`);
  const isOld = numbers[0] < OLDEST[0] || (numbers[0] === OLDEST[0] && numbers[1] < OLDEST[1]);
  if (isOld) {
    return fault(
      `HAProxy ${running} is too old`,
      "Install HAProxy 3.0 or newer; 3.2 is the reference, and HTTP/3 needs 3.2 or newer.",
    );
  }
  if ("error" in seen.installed) return ok(`HAProxy ${running}`);
  const { program, version: installed, features } = seen.installed.value;
  if (installed !== running) {
    return warning(
      `HAProxy ${running} runs, and ${program} is ${installed}: haproxy.cfg is checked by another version than reads it`,
      "Restart HAProxy to run what is installed, or let HAPROXY_BINARY name the program that runs.",
    );
  }
  return TLS_LIBRARIES.some((name) => features.includes(name)) ? ok(`HAProxy ${running}`) : fault(
    `HAProxy ${running} was built without TLS: it can serve no certificate`,
    "Install a HAProxy that has +OPENSSL in `haproxy -vv`.",
  );
}

/** As `haproxy -vv` names them. */
const TLS_LIBRARIES = ["OPENSSL", "OPENSSL_AWSLC", "OPENSSL_WOLFSSL"];

function domainMap(seen: Seen): Finding {
  const map = asked(seen, "map");
  if ("value" in map) return ok(`HAProxy routes by ${map.value}`);
  if (map.error.code === "HAPROXY_REJECTED" && !/uses no map/.test(map.error.message)) {
    askedAsAdmin(seen, "map");
  }
  return faultOf(map.error);
}

function crtList(seen: Seen): Finding {
  const list = askedAsAdmin(seen, "crtList");
  if ("value" in list) return ok(`HAProxy serves the certificates of ${list.value}`);
  // TIMEOUT and STATE_IO are about the lock that has to be held meanwhile.
  if (/^(TIMEOUT|STATE_IO)$/.test(list.error.code)) throw new Skip(list.error.message);
  return faultOf(list.error);
}

function pools(seen: Seen): Finding {
  const { present, lacking: { count, first } } = need(asked(seen, "slots"));
  const { poolCount, maxSlots } = seen.settings.haproxy;
  if (count === 0) return ok(`all ${counted(present, "slot")} of ${counted(poolCount, "pool")}`);
  return fault(
    `haproxy.cfg lacks ${count} of the ${
      poolCount * maxSlots
    } slots that HAPROXY_POOL_COUNT=${poolCount} and ` +
      `HAPROXY_MAX_SLOTS=${maxSlots} promise: ${named(first, count)}`,
    "Let them agree: correct the two settings, or the pools in haproxy.cfg (haproxy-mcp init --print shows how), and reload.",
  );
}

function slotAddresses(seen: Seen): Finding {
  const { hostNames, present } = need(asked(seen, "slots"));
  if (present === 0) throw new Skip("haproxy.cfg has none of the slots (see pools)");
  const wrong = hostNames.filter(({ name }) => name !== PLACEHOLDER_NAME);
  if (wrong.length === 0) return ok("slots keep their addresses over a reload");
  const what = wrong.map(({ name, slots, first }) =>
    `${counted(slots, "slot")} (${first}${slots > 1 ? ", …" : ""}) ` +
    (name === "" ? "with an address in haproxy.cfg" : `with the host name ${name}`)
  ).join(", ");
  return fault(
    `${what}: at the next start or reload they lose the address that the state file gives them`,
    `Give slots the host name that the state file has: \`server-template pool_1_ 1-10 ${PLACEHOLDER_NAME}:1 disabled\`, ` +
      "with `init-addr last,127.0.0.1` in default-server; then reload.",
  );
}

function connections(seen: Seen): Finding {
  const { connections, openFiles } = need(asked(seen, "limits"));
  const message =
    `HAProxy takes ${connections} connections at most, of ${openFiles} open files that it may have`;
  if (!(connections < FEW_CONNECTIONS)) return ok(message);
  return warning(
    message,
    "Raise LimitNOFILE of HAProxy's unit, `--ulimit nofile` of its container, or `ulimit -Hn` where it is started by hand " +
      "(and maxconn in haproxy.cfg, if it is set there); then restart HAProxy.",
  );
}

function routes(seen: Seen): Finding {
  asked(seen, "level");
  const { down, off, astray } = need(underRoot(seen, "domains"));
  const findings: Finding[] = [];
  if (astray.length > 0) {
    findings.push(fault(
      `mapped to a backend that HAProxy does not have: ${named(astray)}`,
      "Correct these lines of domains.map, or remove the domains: haproxy-mcp call haproxy_remove_domain --domain NAME",
    ));
  }
  if (down.length > 0) {
    findings.push(warning(
      `all ready servers are down of ${named(down)}`,
      "See what their checks say: haproxy-mcp call haproxy_domain_health --domain NAME",
    ));
  }
  const more = off.length > 0 ? `; switched off: ${named(off)}` : "";
  return worstOf(findings, `every domain leads to a backend that is there${more}`);
}

function sync(seen: Seen): Finding {
  askedAsAdmin(seen, "level");
  const { counts, first, problems } = need(underRoot(seen, "drift"));
  const total = counts.domains + counts.servers + counts.certificates;
  const findings: Finding[] = problems.filter(({ message }) => !isSaidElsewhere(seen, message))
    .slice(0, 3).map((problem) => faultOf(problem));
  if (total > 0) {
    findings.unshift(fault(
      `HAProxy does not hold what the files say: ${countsInWords(counts)} ${
        total === 1 ? "differs" : "differ"
      } (${named(first, total)})`,
      "Bring HAProxy to what the files say: haproxy-mcp call haproxy_restore_state (a running serve does it by itself).",
    ));
  }
  return worstOf(findings, "HAProxy holds what the files say");
}

/** By crt-list, certificate-files or pools. */
function isSaidElsewhere(seen: Seen, message: string): boolean {
  const { haproxy: { crtList }, files } = need(seen.room);
  const certificates = "value" in files ? files.value.certificates : files;
  return ("error" in crtList && crtList.error.message === message) ||
    ("value" in certificates &&
      certificates.value.problems.some((problem) => problem.message === message)) ||
    /has no server pool_/.test(message);
}

export const HAPROXY_CHECKS: readonly Check[] = [
  {
    name: "runtime-api",
    group: "haproxy",
    looksFor: "HAProxy that answers at HAPROXY_HOST:HAPROXY_PORT",
    judge: runtimeApi,
  },
  {
    name: "one-haproxy",
    group: "haproxy",
    looksFor: "a second HAProxy on the same port, which the kernel does not refuse",
    judge: oneHaproxy,
  },
  {
    name: "admin-level",
    group: "haproxy",
    looksFor: "a Runtime API that may change something",
    judge: adminLevel,
  },
  {
    name: "version",
    group: "haproxy",
    looksFor: "HAProxy 3.0 or newer, with TLS, and the same version running as installed",
    judge: version,
  },
  {
    name: "domain-map",
    group: "haproxy",
    looksFor: "the domain map among HAProxy's maps, in one spelling",
    judge: domainMap,
  },
  {
    name: "crt-list",
    group: "haproxy",
    looksFor: "the crt-list among those that HAProxy uses",
    judge: crtList,
  },
  {
    name: "pools",
    group: "haproxy",
    looksFor: "the slots that HAPROXY_POOL_COUNT and HAPROXY_MAX_SLOTS promise",
    judge: pools,
  },
  {
    name: "slot-addresses",
    group: "haproxy",
    looksFor:
      "slots that lose their address at a reload, as haproxy.cfg gives them one or another host name",
    judge: slotAddresses,
  },
  {
    name: "connections",
    group: "haproxy",
    looksFor: "room for connections, which the limit of open files decides",
    judge: connections,
  },
  {
    name: "routes",
    group: "haproxy",
    looksFor: "domains that lead nowhere, or whose servers are all down",
    judge: routes,
  },
  {
    name: "sync",
    group: "haproxy",
    looksFor: "differences between HAProxy and the files",
    judge: sync,
  },
];
