/** haproxy_health's components: from what was seen of HAProxy, the files and the machine to what a person is told. */
import { basename } from "node:path";
import * as z from "zod";
import { type Files, RELOAD_WAYS } from "../lib/config.ts";
import { daysLeft, lifeLeft } from "../lib/certificates/renewal_time.ts";
import { AgentError } from "../lib/errors.ts";
import type { InventoryEntry } from "../lib/issuance/inventory.ts";
import { domainOfKey } from "../lib/names/domain.ts";
import { describeSeveral } from "../lib/reconcile/processes.ts";
import { countKinds, countsInWords } from "../lib/reconcile/subject.ts";
import type { RuntimeAddress } from "../lib/runtime/connection.ts";
import { type HaproxyProcess, isUnread } from "../lib/runtime/process.ts";
import type { FilesView, WholeDrift } from "../lib/transaction/whole.ts";
import type { DomainStates } from "./domain_states.ts";
import type { HostStatus } from "./host_acts.ts";
import { isHealthy } from "./server_rows.ts";
import { duration } from "./text_table.ts";

const MAX_NAMED = 20;
const MAX_FAULTS = 5;

const STATUSES = ["ok", "degraded", "down", "off"] as const;
type Status = typeof STATUSES[number];

const component = z.object({
  status: z.enum(STATUSES).describe("off: not there, and nothing that needs it."),
  message: z.string(),
});

export const healthOutput = z.object({
  status: z.enum(["healthy", "degraded", "down"])
    .describe("down: HAProxy does not answer. degraded: a component is not ok."),
  components: z.object({
    mcp: component.extend({ version: z.string(), pid: z.int(), read_only: z.boolean() }),
    haproxy: component.extend({
      address: z.string(),
      processes: z.array(z.object({ pid: z.int(), version: z.string(), uptime_s: z.int() }))
        .describe("That answer at the address: more than one is a fault."),
      servers_healthy: z.int(),
      servers_total: z.int(),
      domains_down: z.array(z.string())
        .describe(`Whose ready servers are all down, ${MAX_NAMED} at most.`),
      domains_off: z.array(z.string())
        .describe(`Whose servers are all in drain, maint or of weight 0, ${MAX_NAMED} at most.`),
      domains_astray: z.array(z.string())
        .describe(`That lead to a backend that HAProxy does not have, ${MAX_NAMED} at most.`),
    }),
    config_files: component.extend({
      files: z.array(z.object({ file: z.string(), problem: z.string().describe("Empty: none.") })),
    }),
    container: component.extend({ name: z.string() }),
    certificates: component.extend({
      count: z.int(),
      expired: z.array(z.string()).describe(`${MAX_NAMED} at most.`),
      failing: z.array(z.string())
        .describe(`Whose last renewal failed, ${MAX_NAMED} at most.`),
      first_to_expire: z.object({ domain: z.string(), days_left: z.int() }).nullable(),
    }),
    sync: component.extend({
      domains: z.int(),
      servers: z.int(),
      certificates: z.int(),
      differences: z.array(z.string())
        .describe(`What differs between disk and HAProxy, ${MAX_NAMED} at most.`),
    }),
    reload: component.extend({
      way: z.enum(RELOAD_WAYS).nullable().describe("How haproxy_reload acts."),
      check: z.enum(["binary", "podman"]).nullable().describe("Who checks haproxy.cfg."),
    }),
  }),
});
export type Components = z.output<typeof healthOutput>["components"];

/** What was seen of HAProxy and of the files. */
export interface Running extends DomainStates {
  readonly drift: WholeDrift;
}

/** Which processes answer, and what was seen of the rest or why it could not be seen. */
export type Settled =
  & { readonly processes: readonly HaproxyProcess[] }
  & ({ readonly value: Running } | { readonly error: AgentError });

const NOTHING = { domainsDown: [], domainsOff: [], domainsAstray: [] };

export function haproxyComponent(at: RuntimeAddress, running: Settled): Components["haproxy"] {
  const { processes } = running;
  const servers = "value" in running ? running.value.backends.servers : [];
  const { domainsDown, domainsOff, domainsAstray } = "value" in running ? running.value : NOTHING;
  const healthy = servers.filter(isHealthy).length;
  const figures = {
    address: `${at.host}:${at.port}`,
    processes: processes.map(({ pid, version, uptime }) => ({ pid, version, uptime_s: uptime })),
    servers_healthy: healthy,
    servers_total: servers.length,
    domains_down: domainsDown.slice(0, MAX_NAMED),
    domains_off: domainsOff.slice(0, MAX_NAMED),
    domains_astray: domainsAstray.slice(0, MAX_NAMED),
  };
  const component = (status: Status, message: string) => ({ status, message, ...figures });
  if (processes.length > 1) return component("degraded", describeSeveral(processes, at));
  if (processes.length === 0) {
    return component("down", "error" in running ? running.error.message : "no process answers");
  }
  const [{ version, pid, uptime }] = processes;
  const process = `${version}, process ${pid}, up ${duration(uptime)}`;
  if ("error" in running) {
    const { code, message } = running.error;
    // The files' fault is theirs; without them nobody knows which servers there should be.
    return /^STATE_/.test(code)
      ? component("ok", `${process}; its servers are not known while the files can't be read`)
      : component(code === "HAPROXY_UNREACHABLE" ? "down" : "degraded", `${process}; ${message}`);
  }
  const are = (domains: readonly string[], what: string) =>
    domains.length === 0
      ? []
      : [`${named(domains, 3)} ${domains.length === 1 ? "is" : "are"} ${what}`];
  const message = [
    process,
    `${healthy} of ${servers.length} servers take requests`,
    ...are(domainsDown, "down"),
    ...are(domainsAstray, "mapped to a backend that HAProxy does not have"),
    ...are(domainsOff, "switched off (drain, maint or weight 0)"),
  ].join("; ");
  return component(domainsDown.length + domainsAstray.length > 0 ? "degraded" : "ok", message);
}

export function filesComponent(
  paths: Files,
  host: HostStatus | AgentError,
  { problem, certificates, escapes }: FilesView & {
    /** Symlinks that lead out of the root. */
    readonly escapes: readonly string[];
  },
  running: Settled,
): Components["config_files"] {
  const problems = [...(problem ? [problem] : []), ...certificates.problems]
    .map(({ message }) => message);
  const stale = "value" in running && running.value.drift.staleServerState;
  const own = [paths.map, paths.servers, paths.certificates, paths.crtList].map((file) => ({
    file,
    problem: problems.find((each) => each.startsWith(file)) ?? "",
  }));
  const files = [
    ...(host instanceof AgentError ? [] : [{
      file: host.config_file.path,
      problem: host.config_file.problem ?? unread(host, running),
    }]),
    ...own,
    {
      file: paths.serverState,
      problem: stale
        ? "it is not what servers.json says, so HAProxy would start with other servers: haproxy_restore_state puts it right"
        : "",
    },
  ];
  // One that names no file by its path, such as a journal that can't be read.
  const other = problem && own.every((each) => each.problem !== problem.message)
    ? [problem.message]
    : [];
  const bad = files.filter(({ problem }) => problem !== "").map(({ file, problem }) =>
    problem.startsWith(file) ? problem : `${basename(file)}: ${problem}`
  );
  const leading = escapes.map((link) =>
    `${link} is a symlink that leads out of ${paths.root}, or nowhere: the next start will be refused`
  );
  const all = [...bad, ...other, ...leading];
  return all.length === 0
    ? { status: "ok", message: `${files.length} files, in order`, files }
    : { status: "degraded", message: all.join("; "), files };
}

/** An edit of haproxy.cfg does nothing until the reload, which is easily forgotten. */
function unread({ config_file: { modified } }: HostStatus, running: Settled): string {
  if (modified === undefined || running.processes.length === 0) return "";
  return running.processes.every((process) => isUnread(modified, process))
    ? "it was edited after HAProxy read it: haproxy_reload makes HAProxy read it"
    : "";
}

export function containerComponent(host: HostStatus | AgentError): Components["container"] {
  if (host instanceof AgentError) return { status: "off", message: host.message, name: "" };
  const { container: { name, status }, reload: { way } } = host;
  if (status === "running") return { status: "ok", message: `${name} is running`, name };
  const message = status === "no podman" ? "no Podman on this machine" : `${name}: ${status}`;
  return { status: way === "podman" ? "degraded" : "off", message, name };
}

export function certificatesComponent(
  { certificates: { count, problems } }: FilesView,
  entries: readonly InventoryEntry[],
): Components["certificates"] {
  const served = entries.filter(({ lines, wanted }) => wanted || lines.length > 0);
  const running = served.flatMap(({ name, known }) =>
    known ? [{ name, ...known.certificate }] : []
  );
  const now = Date.now();
  const ends = (each: { readonly notAfter: string }) => Date.parse(each.notAfter);
  const expired = running.filter((each) => lifeLeft(each, now) === "none");
  const soon = running.filter((each) => lifeLeft(each, now) === "little");
  const failing = served.filter(({ record }) => record?.last && record.last.code !== "OK");
  const [first] = running.toSorted((a, b) => ends(a) - ends(b));
  const days = ({ notAfter }: { readonly notAfter: string }) => daysLeft(notAfter, new Date());
  const faults = [
    ...problems.map(({ message }) => message),
    ...expired.map(({ name, notAfter }) => `${name} has EXPIRED on ${notAfter.slice(0, 10)}.`),
    ...soon.map((each) =>
      `${each.name} ends in ${duration(Math.floor((ends(each) - now) / 1000))}.`
    ),
    ...failing.map(({ name, record }) =>
      `${name} could not be renewed at ${record!.last!.at}: ${record!.last!.message}`
    ),
  ];
  const figures = {
    count,
    expired: expired.map(({ name }) => name).slice(0, MAX_NAMED),
    failing: failing.map(({ name }) => name).slice(0, MAX_NAMED),
    first_to_expire: first ? { domain: first.name, days_left: days(first) } : null,
  };
  if (faults.length > 0) {
    const more = faults.length > MAX_FAULTS ? ` … and ${faults.length - MAX_FAULTS} more.` : "";
    const message = faults.slice(0, MAX_FAULTS).join(" ") + more;
    return { status: "degraded", message, ...figures };
  }
  const message = first === undefined
    ? `${count} on disk`
    : `${count} on disk; the first to end is ${first.name}, in ${days(first)} days`;
  return { status: "ok", message, ...figures };
}

export function syncComponent(running: Settled): Components["sync"] {
  if ("error" in running) {
    const none = { domains: 0, servers: 0, certificates: 0, differences: [] };
    return {
      status: "off",
      message: "not known while HAProxy or the files can't be read",
      ...none,
    };
  }
  const { differences, problems } = running.value.drift;
  const counts = countKinds(differences);
  const names = differences.map(({ kind, name }) => kind === "domain" ? domainOfKey(name) : name);
  const fields = { ...counts, differences: names.slice(0, MAX_NAMED) };
  if (differences.length === 0 && problems.length === 0) {
    return { status: "ok", message: "HAProxy holds what the files say", ...fields };
  }
  const message = [
    ...(differences.length > 0
      ? [
        `${countsInWords(counts)} ${names.length === 1 ? "differs" : "differ"} (${
          named(names, 3)
        }): ` +
        "haproxy_restore_state brings HAProxy to what the files say",
      ]
      : []),
    ...problems.slice(0, 3).map((problem) => problem.message),
  ].join("; ");
  return { status: "degraded", message, ...fields };
}

export function reloadComponent(host: HostStatus | AgentError): Components["reload"] {
  if (host instanceof AgentError) {
    return { status: "off", message: host.message, way: null, check: null };
  }
  const { way, check, tried } = host.reload;
  const checks = check === null
    ? "nobody checks haproxy.cfg before"
    : `haproxy.cfg is checked by ${check === "binary" ? "HAProxy's program" : "Podman"}`;
  if (way !== null) return { status: "ok", message: `by ${way}; ${checks}`, way, check };
  const reasons = tried.map(({ way, problem }) => `${way}: ${problem}`).join("; ");
  return { status: "off", message: `no way works (${reasons}); ${checks}`, way, check };
}

export function overall(components: Components): "healthy" | "degraded" | "down" {
  const statuses: Status[] = Object.values(components).map(({ status }) => status);
  if (statuses.includes("down")) return "down";
  return statuses.includes("degraded") ? "degraded" : "healthy";
}

/** `a.com, b.com, c.com and 3 more`. */
function named(names: readonly string[], most: number): string {
  const more = names.length - most;
  return names.slice(0, most).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
