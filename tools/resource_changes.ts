/** Finds what changed on disk, by whomever, and says which resources that touches. */
import type { Files } from "../lib/config.ts";
import { AgentError } from "../lib/errors.ts";
import { log } from "../lib/log.ts";
import { domainOfKey } from "../lib/names/domain.ts";
import { type ResourceChanges, resourceUri } from "../lib/resource_definition.ts";
import type { RootFiles } from "../lib/sandbox/files.ts";
import type { CertificatesFile } from "../lib/state/certificates_file.ts";
import type { Change, Desired } from "../lib/state/model.ts";
import { pemFile } from "../lib/transaction/certificates/disk.ts";

export type Publish = (changes: ResourceChanges) => void;

export interface ResourceChangesOptions {
  readonly files: RootFiles;
  readonly paths: Files;
  /** haproxy.cfg; looked at where it lies under the root. */
  readonly configFile: string;
  readonly certificates: () => Promise<Pick<CertificatesFile, "domains" | "records">>;
  readonly publish: Publish;
}

export interface ResourceWatch {
  close(): void;
}

const LOOK_EVERY_MS = 1_000;
/** Domains of one pool that are named one by one. */
const MAX_NAMED = 1_000;

/** What a change of domains and servers touches, in the state after it. */
export function touchedBy(changes: readonly Change[], desired: Desired): ResourceChanges {
  const keys = new Set<string>();
  const backends = new Set<string>();
  let list = false;
  for (const change of changes) {
    if (change.kind === "map") {
      keys.add(change.key);
      for (const backend of [change.before, change.after]) if (backend) backends.add(backend);
      list ||= change.before === null || change.after === null;
    } else {
      backends.add(change.pool);
      for (const key of desired.keysOf(change.pool).values().take(MAX_NAMED)) keys.add(key);
    }
  }
  return {
    list,
    updated: [
      "haproxy://domains",
      ...[...keys].map((key) => resourceUri("domains", domainOfKey(key))),
      ...[...backends].map((backend) => resourceUri("backends", backend)),
    ],
  };
}

/** Looks at the files that are not the transaction's own: certificates, the audit log, haproxy.cfg. */
export function watchFiles(options: ResourceChangesOptions): ResourceWatch {
  const { files, paths, configFile, publish } = options;
  const seen = new Map<string, string>();
  /** By domain: its record, and which file it is. */
  let records = new Map<string, string>();
  let certificates = new Map<string, string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  /** True from the second look on, where a file is another than before. */
  function isNew(path: string): boolean {
    const before = seen.get(path);
    const now = files.signature(path);
    seen.set(path, now);
    return before !== undefined && before !== now;
  }

  async function readRecords(): Promise<Map<string, string>> {
    const { domains, records } = await options.certificates();
    return new Map(domains.map((domain) => [domain, JSON.stringify(records.get(domain) ?? null)]));
  }

  /** The domains whose record or whose file is another. */
  function changedCertificates(): string[] {
    const before = certificates;
    certificates = new Map(
      [...records].map(([domain, record]) => [
        domain,
        `${files.signature(pemFile(paths, domain))} ${record}`,
      ]),
    );
    return [...new Set([...before.keys(), ...certificates.keys()])]
      .filter((domain) => before.get(domain) !== certificates.get(domain));
  }

  async function look(first: boolean): Promise<void> {
    const listsChanged = [paths.certificates, paths.crtList].map(isNew).includes(true);
    // Files come and go by rename; one that is written in place shows by itself.
    const folderChanged = isNew(paths.certsFolder);
    if (first || listsChanged) records = await readRecords();
    const named = changedCertificates();
    const anyChanged = listsChanged || folderChanged || named.length > 0;
    const updated = [
      ...(anyChanged && !first ? ["haproxy://certificates"] : []),
      ...(first ? [] : named.map((domain) => resourceUri("certificates", domain))),
      ...(isNew(paths.audit) ? ["haproxy://audit"] : []),
      ...(configFile.startsWith(`${files.root}/`) && isNew(configFile) ? ["haproxy://config"] : []),
    ];
    if (updated.length > 0) publish({ list: false, updated });
  }

  async function round(first = false): Promise<void> {
    await look(first).catch((cause) => {
      log.debug(`Not looked for changed resources: ${AgentError.from(cause).message}`);
    });
    if (!closed) timer = setTimeout(round, LOOK_EVERY_MS);
  }

  void round(true);
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
