/** Checks of the machine: disk, clock, limits, and the ways to a reload. */
import { RELOAD_WAYS } from "../config.ts";
import { asked } from "./asked.ts";
import {
  type Check,
  fault,
  type Finding,
  named,
  need,
  ok,
  Skip,
  warning,
  worstOf,
} from "./check.ts";
import type { Seen } from "./seen.ts";

const MB = 1_000_000;
/** A change needs some hundred kilobytes, the audit log and certificates a few megabytes. */
const DISK = { least: 10 * MB, little: 100 * MB };
const INODES = { least: 100, little: 1_000 };
/** Certificates are checked with five minutes of tolerance, by us and by clients. */
const CLOCK = { wrong: 5 * 60_000, odd: 30_000 };
/** What serve keeps for itself, and some hundred connections (lib/supervisor/host/open_files.ts). */
const FEW_FILES = 1_024;

function disk(seen: Seen): Finding {
  const { freeBytes, freeFiles = Infinity } = need(seen.disk);
  const { root } = seen.settings.files;
  const files = freeFiles === Infinity ? "" : `, ${freeFiles} files`;
  const message = `${Math.floor(freeBytes / MB)} MB${files} free on the disk of ${root}`;
  const remedy =
    `Make room: df -h ${root}; df -i ${root}. While the disk is full, changes are refused (STATE_IO).`;
  if (freeBytes < DISK.least || freeFiles < INODES.least) return fault(message, remedy);
  if (freeBytes < DISK.little || freeFiles < INODES.little) return warning(message, remedy);
  return ok(message);
}

function clock(seen: Seen): Finding {
  const findings: Finding[] = [];
  let compared = 0;
  const compare = (theirs: number, whose: string, remedy: string) => {
    compared++;
    const off = Math.abs(theirs);
    if (off < CLOCK.odd) return;
    const message = `this machine's clock is ${inWords(off)} ${
      theirs > 0 ? "behind" : "ahead of"
    } ${whose}`;
    findings.push((off < CLOCK.wrong ? warning : fault)(message, remedy));
  };
  const SET = "Let the clock be set: timedatectl set-ntp true, or chronyc makestep.";
  const haproxy = "value" in seen.room ? seen.room.value.haproxy.clockAhead : seen.room;
  if ("value" in haproxy) compare(haproxy.value, "HAProxy's", SET);
  const ca = "value" in seen.acme ? seen.acme.value?.ca : seen.acme;
  if (ca && "value" in ca && ca.value.clockAhead !== undefined) {
    compare(ca.value.clockAhead, "the CA's", SET);
  }
  // Nobody writes a file, or issues a certificate, in the future.
  for (const { what, time } of madeBefore(seen)) {
    compared++;
    if (time - seen.now < CLOCK.wrong) continue;
    findings.push(fault(
      `by this machine's clock it is ${isoSeconds(seen.now)}, and ${what} is from ${
        isoSeconds(time)
      }`,
      SET,
    ));
  }
  if (compared === 0) throw new Skip("there is nothing to compare it with");
  return worstOf(findings, "the clock agrees with all that there is to compare it with");
}

/** The youngest file and the youngest certificate. */
function madeBefore(seen: Seen): readonly { readonly what: string; readonly time: number }[] {
  const entries = "value" in seen.tree ? seen.tree.value.entries : [];
  const files = "value" in seen.room ? seen.room.value.files : seen.room;
  const inventory = "value" in files ? files.value.inventory : files;
  const certificates = "value" in inventory ? inventory.value : [];
  const made = [
    entries.map(({ path, modified }) => ({ what: path, time: modified })),
    certificates.map(({ name, notBefore }) => ({
      what: `the certificate ${name}`,
      time: Date.parse(notBefore ?? ""),
    })),
  ];
  return made.flatMap((some) => {
    const known = some.filter(({ time }) => !Number.isNaN(time));
    return known.length === 0
      ? []
      : [known.reduce((youngest, each) => each.time > youngest.time ? each : youngest)];
  });
}

const isoSeconds = (time: number) => `${new Date(time).toISOString().slice(0, 19)}Z`;

function inWords(ms: number): string {
  const s = Math.round(ms / 1000);
  if (s < 120) return `${s} s`;
  return s < 7_200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3_600)} h`;
}

function openFiles(seen: Seen): Finding {
  const soft = need(seen.openFiles);
  const message = `a process started like this one may have ${soft} files open`;
  if (soft >= FEW_FILES) return ok(message);
  return warning(
    `${message}: serve would take few connections at once`,
    "Raise it where serve is started: LimitNOFILE=65536 in its unit, or ulimit -n 65536.",
  );
}

function reload(seen: Seen): Finding {
  const { reload: { way, tried } } = need(seen.host);
  const why = tried.filter(({ problem }) => problem !== undefined)
    .map(({ way, problem }) => `${way}: ${problem}`);
  const { reload: wanted, masterSocket } = seen.settings.host;
  if (way !== null) {
    const others = why.length > 0 ? ` (not ${why.join("; not ")})` : "";
    return ok(`haproxy_reload acts by ${way}${others}`);
  }
  // Where HAProxy is down, no way can work, and that is said already.
  asked(seen, "level");
  return (wanted === "auto" ? warning : fault)(
    `haproxy_reload can't work. ${why.join("; ")}`,
    wanted === "auto"
      ? `Start HAProxy with its master CLI, \`haproxy -W -S ${masterSocket},mode,600 -f …\`, with mode,600,user,NAME where ` +
        "the agent runs as another user; or let HAPROXY_MASTER or HAPROXY_CONTAINER name it."
      : `HAPROXY_RELOAD=${wanted} allows no other way. Put that right, or set HAPROXY_RELOAD=auto (${
        RELOAD_WAYS.join(", ")
      }).`,
  );
}

function mounts(seen: Seen): Finding {
  const { root } = seen.settings.files;
  const single = need(seen.mounts).filter(({ source, isFile }) =>
    isFile && source.startsWith(`${root}/`)
  );
  if (single.length === 0) return ok("the container mounts folders of the root, no single file");
  const names = single.map(({ source }) => source);
  return fault(
    `the container mounts the file ${
      named(names)
    } and not its folder: files are replaced, and HAProxy keeps seeing the old one`,
    `Mount the folder: --volume ${names[0].replace(/\/[^/]*$/, "")}:…`,
  );
}

export const SYSTEM_CHECKS: readonly Check[] = [
  {
    name: "disk",
    group: "system",
    looksFor: "room on the disk of HAPROXY_ROOT",
    judge: disk,
  },
  {
    name: "clock",
    group: "system",
    looksFor: "a clock that HAProxy, the CA, the files and the certificates agree with",
    judge: clock,
  },
  {
    name: "open-files",
    group: "system",
    looksFor: "the limit of open files that serve would have, started as doctor was",
    judge: openFiles,
  },
  {
    name: "reload",
    group: "system",
    looksFor: "a way to reload HAProxy: its master CLI, Podman or systemd",
    judge: reload,
  },
  {
    name: "container-mounts",
    group: "system",
    looksFor: "single files that HAProxy's container mounts",
    judge: mounts,
  },
];
