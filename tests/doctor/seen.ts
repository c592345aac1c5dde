/** What doctor sees where all is well, for tests of the checks that judge it. */
import { readSettings } from "../../lib/config.ts";
import type { Finding } from "../../lib/doctor/check.ts";
import { CHECKS, diagnose } from "../../lib/doctor/checks.ts";
import type { Seen } from "../../lib/doctor/seen.ts";
import type { ErrorCode } from "../../lib/errors.ts";
import { haproxyConfig } from "../../lib/init/config.ts";
import { defaultOptions } from "../../lib/init/options.ts";
import type { Looked } from "../../lib/looked.ts";
import type { Examination } from "../../tools/examine.ts";
import type { FilesSeen } from "../../tools/examine_files.ts";
import type { HaproxySeen } from "../../tools/examine_haproxy.ts";

export const NOW = Date.parse("2026-06-01T12:00:00Z");
export const ROOT = "/opt/haproxy";
export const CONFIG = haproxyConfig({ ...defaultOptions(ROOT), pools: 2, slots: 3 });

export const saw = <T>(value: T): Looked<T> => ({ value });
export const unseen = (message: string, code: ErrorCode = "UNSUPPORTED", hint?: string) => ({
  error: { code, message, ...(hint !== undefined && { hint }) },
});

const HAPROXY: HaproxySeen = {
  process: saw({
    pid: 7,
    version: "3.2.26-1",
    startedAt: NOW / 1000 - 3_600,
    uptime: 3_600,
    stopping: false,
    key: "7@1",
  }),
  level: saw("admin"),
  limits: saw({ connections: 20_000, openFiles: 41_000 }),
  clockAhead: saw(3),
  startupLogs: saw("[NOTICE]   (1) : Loading success.\n"),
  map: saw(`${ROOT}/conf/domains.map`),
  configFiles: saw([`${ROOT}/conf/haproxy.cfg`]),
  crtList: saw(`${ROOT}/certs/crt-list.txt`),
  slots: saw({
    present: 6,
    lacking: { count: 0, first: [] },
    hostNames: [{ name: "slot.invalid", slots: 6, first: "pool_1_1" }],
  }),
};

const FILES: FilesSeen = {
  desired: saw({ domains: 1, servers: 1 }),
  routes: saw([]),
  serverStateFlaw: saw(null),
  unfinished: saw([]),
  restoreCutOff: saw(false),
  heldLocks: saw([]),
  certificates: saw({ count: 1, problems: [] }),
  inventory: saw([{
    name: "default",
    file: `${ROOT}/certs/default.pem`,
    served: true,
    managed: false,
    notBefore: "2026-01-01T00:00:00Z",
    notAfter: "2036-01-01T00:00:00Z",
  }]),
  registered: saw(false),
};

export interface Changed {
  readonly seen?: Partial<Omit<Seen, "room" | "settings">>;
  readonly haproxy?: Partial<HaproxySeen>;
  readonly files?: Partial<FilesSeen>;
  readonly room?: Partial<Omit<Examination, "haproxy" | "files">>;
  readonly env?: Readonly<Record<string, string>>;
}

/** All as it should be, but for what is given. */
export function seenWith({ seen, haproxy, files, room, env }: Changed = {}): Seen {
  const settings = readSettings({
    HAPROXY_ROOT: ROOT,
    HAPROXY_POOL_COUNT: "2",
    HAPROXY_MAX_SLOTS: "3",
    ...env,
  });
  const examination: Examination = {
    haproxy: { ...HAPROXY, ...haproxy },
    files: saw({ ...FILES, ...files }),
    domains: saw({ down: [], off: [], astray: [] }),
    drift: saw({ counts: { domains: 0, servers: 0, certificates: 0 }, first: [], problems: [] }),
    ...room,
  };
  const entry = { folder: false, special: false, uid: 0, gid: 0, modified: NOW - 60_000 };
  return {
    settings,
    now: NOW,
    uid: 0,
    root: saw(ROOT),
    escapes: saw([]),
    tree: saw({
      entries: [
        { ...entry, path: ROOT, folder: true, mode: 0o755 },
        { ...entry, path: `${ROOT}/conf/domains.map`, mode: 0o644 },
        { ...entry, path: `${ROOT}/certs/default.pem`, mode: 0o600 },
      ],
    }),
    unitUser: unseen("no systemd answers"),
    access: saw([]),
    room: saw(examination),
    config: saw(CONFIG),
    otherConfigs: saw([]),
    parser: saw({ valid: true, by: "binary", warnings: [], errors: [] }),
    host: saw({
      config_file: { path: `${ROOT}/conf/haproxy.cfg`, modified: "2026-05-01T00:00:00.000Z" },
      container: { name: "haproxy", status: "no podman" },
      reload: { way: "master", tried: [{ way: "master" }], check: "binary" },
    }),
    mounts: unseen("there is no podman in PATH"),
    installed: saw({ program: "/usr/sbin/haproxy", version: "3.2.26-1", features: ["OPENSSL"] }),
    tokens: saw({ uid: 0 }),
    settingsFile: unseen("there is no conf/haproxy-mcp.env", "NOT_FOUND"),
    disk: saw({ freeBytes: 10e9, freeFiles: 1e6 }),
    openFiles: saw(65_536),
    serve: saw({ who: "serve", ready: true, names: [], refused: [] }),
    acme: saw(null),
    ...seen,
  };
}

/** What one check finds. */
export function judge(name: string, changed: Changed = {}): Finding {
  const check = CHECKS.find((check) => check.name === name);
  if (!check) throw new Error(`there is no check ${name}`);
  const { name: _name, group: _group, ...finding } = diagnose(seenWith(changed), [check]).checks[0];
  return finding as Finding;
}

/** As `status: message`. */
export const told = (name: string, changed: Changed = {}): string => {
  const { status, message } = judge(name, changed);
  return `${status}: ${message}`;
};
