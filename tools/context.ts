/** What every tool works with: opened once by the tools room. */
import { dirname } from "node:path";
import type { AcmeSettings, Files, HaproxySettings, Logging, Settings } from "../lib/config.ts";
import { AgentError } from "../lib/errors.ts";
import { type AutomaticOptions, startRenewals } from "../lib/issuance/automatic.ts";
import { inventory } from "../lib/issuance/inventory.ts";
import { type Issuer, issuer } from "../lib/issuance/mod.ts";
import { certificateSource } from "../lib/issuance/source.ts";
import { log } from "../lib/log.ts";
import type { PoolShape } from "../lib/names/server.ts";
import { type Healing, startHealing } from "../lib/reconcile/healing.ts";
import { onlyProcess } from "../lib/reconcile/processes.ts";
import { type RuntimeClient, runtimeClient } from "../lib/runtime/connection.ts";
import { openRoot, type RootFiles } from "../lib/sandbox/files.ts";
import { type AuditLog, type AuditRecord, openAudit } from "../lib/state/audit.ts";
import { fileLock } from "../lib/state/lock.ts";
import type { Change } from "../lib/state/model.ts";
import { openStore } from "../lib/state/store.ts";
import type { Handlers, Peer } from "../lib/rpc/mod.ts";
import { type Transactions, transactions } from "../lib/transaction/mod.ts";
import type { HostActs } from "./host_acts.ts";
import { type Publish, touchedBy, watchFiles } from "./resource_changes.ts";
import { type Traffic, watchTraffic } from "./traffic.ts";

export interface ToolsSettings {
  readonly files: Files;
  readonly haproxy: HaproxySettings;
  readonly confirm: Settings["confirm"];
  readonly logging: Logging;
  /** haproxy.cfg, which may lie outside of the root. */
  readonly configFile: string;
  /** Which of this process's tools rooms this is, counted from 1. */
  readonly room: number;
  readonly pid: number;
  /** Whose this process is, which the room may not ask. */
  readonly uid?: number;
  /** True where HAProxy is brought in line with the files: serve and stdio. */
  readonly heal: boolean;
  readonly readOnly: boolean;
  readonly acme: Pick<AcmeSettings, "client" | "directory">;
  /** True where what is due is renewed without being asked: serve, unless MCP_AUTO_RENEW says otherwise. */
  readonly renew: boolean;
}

/** Main, as far as the tools room may ask of it. */
export type Host = Pick<Peer<HostActs & Handlers>, "call">;

export interface ToolContext {
  readonly shape: PoolShape;
  readonly confirm: Settings["confirm"];
  readonly readOnly: boolean;
  readonly pid: number;
  readonly files: RootFiles;
  readonly paths: Files;
  readonly runtime: RuntimeClient;
  readonly transactions: Transactions;
  readonly issuer: Issuer;
  readonly host: Host;
  readonly auditLog: Pick<AuditLog, "last">;
  /** What HAProxy has served of late; nothing where it is not looked for all the time. */
  readonly traffic: Pick<Traffic, "samples">;
  /** One line a call of a writing tool. A disk that can't take it is logged: the call's outcome stands. */
  audit(record: AuditRecord): Promise<void>;
  close(): Promise<void>;
}

/** How long a call waits for another process that holds the lock, and the start for our own predecessor. */
const LOCK_WAIT_MS = 5_000;

export interface ContextOptions {
  /** When `serve` looks at the certificates. */
  readonly renewals?: AutomaticOptions;
  /** Told what is different for readers; undefined: nobody listens. */
  readonly publish?: Publish;
}

/** Throws STATE_CORRUPT or STATE_IO where the files can't be read, TIMEOUT where the lock is not to be had. */
export async function openContext(
  settings: ToolsSettings,
  host: Host,
  { renewals: renewalOptions, publish }: ContextOptions = {},
): Promise<ToolContext> {
  const { files: paths, haproxy } = settings;
  const files = await openRoot(paths.root, settings.uid);
  for (const path of [paths.lock, paths.journal]) await files.makeFolder(dirname(path));
  const me = { pid: settings.pid, room: settings.room };
  const lock = fileLock(files, paths.lock, me, LOCK_WAIT_MS);
  const onChange = (changes: readonly Change[]) => {
    if (changes.length > 0) publish?.(touchedBy(changes, store.desired));
  };
  const store = openStore(files, paths, haproxy, onChange);
  const runtime = runtimeClient({ host: haproxy.host, port: haproxy.port });
  const certificateLock = fileLock(files, paths.certificateLock, me, LOCK_WAIT_MS);
  const turn = certificateLock.hold;
  let healing: Healing | undefined;
  let looked = false;
  async function assertAlone(): Promise<void> {
    if (healing) return healing.assertAlone();
    // In the shell nobody looks all the time.
    if (!looked) await onlyProcess(runtime);
    looked = true;
  }
  const path = transactions({ settings, store, lock, runtime, files, turn, onChange, assertAlone });

  await path.open().catch((cause) => {
    // In the shell each tool says so itself: haproxy_health and haproxy_check_config are for such moments.
    if (!settings.heal && AgentError.from(cause).code === "STATE_CORRUPT") return;
    store.close();
    lock.close();
    throw cause;
  });
  const traffic = watchTraffic();
  if (settings.heal) healing = await startHealing({ runtime, ...path, ask: traffic.ask });
  const changes = path.certificates;
  const certificates = issuer({
    files,
    paths,
    changes,
    source: certificateSource({ ...settings.acme, files, acmeFolder: paths.acmeFolder, host }),
    inventory: inventory({ files, paths, runtime, changes, turn }),
    lock: fileLock(files, paths.renewalLock, me, LOCK_WAIT_MS),
  });
  const watch = publish &&
    watchFiles({
      files,
      paths,
      publish,
      configFile: settings.configFile,
      certificates: changes.known,
    });
  const auditLog = openAudit(files, paths, me);
  const audit = (record: AuditRecord) =>
    auditLog.append(record).catch((cause) =>
      log.error(`The audit log lacks a call of ${record.tool}: ${AgentError.from(cause).message}`)
    );
  const renewals = settings.renew
    ? startRenewals(certificates, ({ domain, ...outcome }) =>
      audit({
        tool: "automatic renewal",
        args: { domain },
        caller: { transport: "none", who: "serve" },
        ...outcome,
      }), renewalOptions)
    : undefined;

  return {
    shape: haproxy,
    confirm: settings.confirm,
    readOnly: settings.readOnly,
    pid: settings.pid,
    files,
    paths,
    runtime,
    transactions: path,
    issuer: certificates,
    host,
    auditLog,
    traffic,
    audit,
    async close() {
      await healing?.close();
      watch?.close();
      await renewals?.close();
      await certificates.close();
      await path.close();
      certificateLock.close();
      auditLog.close();
    },
  };
}
