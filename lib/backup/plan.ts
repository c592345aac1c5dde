/** What a restore makes of the files: worked out from the backup and from what lies here now, under the file lock. */
import { basename, join } from "node:path";
import { AgentError } from "../errors.ts";
import type { PoolShape } from "../names/server.ts";
import { parseCertificatesFile, renderCertificatesFile } from "../state/certificates_file.ts";
import { parseCrtListFile } from "../state/crt_list_file.ts";
import { renderServerStateFile } from "../state/server_state_file.ts";
import { pemMode } from "../transaction/certificates/disk.ts";
import type { FileChange } from "../transaction/file_changes.ts";
import type { Backup } from "./archive.ts";
import type { CollectParts } from "./collect.ts";
import {
  assertPemLoads,
  assertPemsThere,
  type CertificateLists,
  certificateListsOf,
  listedPems,
  parseRoutes,
  type Routes,
  routesOf,
  text,
} from "./fits.ts";
import { domainLines, listLines, routeLines, wholeLines } from "./lines.ts";
import { NAMES, type Owned, ownedNamed, type Places } from "./owned.ts";

export interface PlanParts extends CollectParts {
  readonly shape: PoolShape;
  /** HAPROXY_ROOT as it was set. */
  readonly root: string;
}

export interface PlanOptions {
  /** What the backup is called in errors. */
  readonly archive: string;
  /** Their files, lists and accounts stay as they are here. */
  readonly withoutCertificates: boolean;
  /** Whoever has the archive could not write root's files: they stay as they are here. */
  readonly withoutRoots?: boolean;
}

export interface RestorePlan {
  readonly changes: readonly FileChange[];
  /** What of the backup is not put in place, a clause each. */
  readonly kept: readonly string[];
  /** Certificates' files that no list will name: HAProxy serves them until it is reloaded. */
  readonly unlisted: readonly string[];
}

const UNKNOWN_PLACES: Places = { configFile: "/", tokenFile: "/" };

/**
 * Throws STATE_CORRUPT, CERTIFICATE or REFUSED where the backup does not fit, with file and line; STATE_IO.
 */
export async function planRestore(
  backup: Backup,
  parts: PlanParts,
  { archive, withoutCertificates, withoutRoots = false }: PlanOptions,
): Promise<RestorePlan> {
  const { files, paths, shape, root } = parts;
  const { manifest } = backup;
  const owned = [...backup.files.keys()].map((name) => ownedIn(name, parts, archive));
  if (manifest.root !== root) throw otherRoot(manifest.root, root, archive);
  const routes = routesOf(backup, shape, archive);
  const changes: FileChange[] = [];
  const kept: string[] = [];
  let unlisted: readonly string[] = [];

  const now = (path: string) =>
    files.signature(path) === "missing" ? Promise.resolve(undefined) : files.readBytes(path);
  const isThere = (path: string) => files.signature(path) !== "missing";

  if (!withoutCertificates) await checkCertificates();
  if (withoutCertificates && owned.some((each) => each?.certificates)) {
    kept.push("the certificates: they stay as they are here");
  }
  const hasAudit = isThere(paths.audit);
  if (hasAudit && owned.some((each) => each?.kind === "audit")) {
    kept.push("the audit log: the one here goes on");
  }
  for (const [i, [name, content]] of [...backup.files].entries()) {
    const each = owned[i];
    if (each === undefined) {
      kept.push(`${name}: its place is not under HAPROXY_ROOT here`);
      continue;
    }
    if (each.certificates && withoutCertificates || each.kind === "audit" && hasAudit) continue;
    if (each.roots && withoutRoots) {
      const before = await now(each.path);
      if (before && sameBytes(before, content)) continue;
      kept.push(`${name}: the archive is the agent's, which may not write it`);
      continue;
    }
    await put(each, name === NAMES.certificates ? await withRecordsHere(content) : content);
  }
  removeWhereThereWasNone();
  await put(
    { name: "conf/servers.state", path: paths.serverState, kind: "state", certificates: false },
    new TextEncoder().encode(renderServerStateFile(routes.servers)),
  );
  return { changes: inOrder(changes), kept, unlisted };

  async function put(each: Owned, content: Uint8Array): Promise<void> {
    const before = await now(each.path);
    if (before && sameBytes(before, content)) return;
    const isPem = each.name.startsWith("certs/") && each.kind === "secret";
    const mode = isPem
      ? { always: await pemMode(files, paths) }
      : each.kind === "secret" || each.kind === "audit"
      ? { always: 0o600 }
      : undefined;
    changes.push({
      file: each.path,
      text: content,
      ...(mode && { mode }),
      ...(each.roots && { roots: true }),
      lines: await linesOf(each.name, before, content),
    });
  }

  /** What such a file says now is about a later state. */
  function removeWhereThereWasNone(): void {
    const gone = [
      ...backup.files.has(NAMES.servers) ? [] : [paths.servers],
      ...backup.files.has(NAMES.certificates) || withoutCertificates ? [] : [paths.certificates],
    ];
    for (const file of gone) {
      if (isThere(file)) changes.push({ file, text: null, lines: ["- the whole file"] });
    }
  }

  async function checkCertificates(): Promise<void> {
    const lists = certificateListsOf(backup, archive);
    const before = await listsHere();
    const onDisk = (name: string) => isThere(join(paths.certsFolder, basename(name)));
    assertPemsThere(lists, (name) => backup.files.has(name) || onDisk(name), before.lines ?? []);
    const listed = listedPems(lists);
    for (const name of listed) {
      const content = backup.files.get(name);
      if (content) await assertPemLoads(content, `${archive}: ${name}`);
    }
    const old = [...listedPems(before)].filter((name) => !listed.has(name) && onDisk(name));
    // Without a list of its own a backup leaves the one that is here.
    unlisted = lists.lines ? old.map((name) => basename(name)).sort() : [];
  }

  async function listsHere(): Promise<CertificateLists> {
    const [list, json] = [await now(paths.crtList), await now(paths.certificates)];
    const lines = list && lenient(() => parseCrtListFile(text(list), paths.crtList));
    const known = json && lenient(() => parseCertificatesFile(text(json), paths.certificates));
    return { ...lines && { lines }, ...known && { json: known } };
  }

  /**
   * A record is about the certificate that it was ordered with: where that stays the one here, so does what is known of it,
   * or the agent would take it for somebody else's, and no longer renew it.
   */
  async function withRecordsHere(content: Uint8Array): Promise<Uint8Array> {
    const { json: known } = await listsHere();
    if (!known) return content;
    const then = parseCertificatesFile(text(content), NAMES.certificates);
    const records = new Map(then.records);
    for (const domain of then.records.keys()) {
      const record = known.records.get(domain);
      if (record && !backup.files.has(`certs/${domain}.pem`)) records.set(domain, record);
    }
    const merged = renderCertificatesFile({ ...then, records });
    return merged === renderCertificatesFile(then) ? content : new TextEncoder().encode(merged);
  }

  async function linesOf(
    name: string,
    before: Uint8Array | undefined,
    content: Uint8Array,
  ): Promise<string[]> {
    const [old, next] = [before === undefined ? "" : text(before), text(content)];
    switch (name) {
      case NAMES.map:
      case NAMES.servers: {
        const kind = name === NAMES.map ? "map" : "server";
        const routesHere = await currentRoutes();
        return routesHere ? routeLines(routesHere, routes, kind) : wholeLines(before !== undefined);
      }
      case NAMES.crtList:
        return listLines(old, next);
      case NAMES.certificates:
        return domainLines(
          lenient(() => parseCertificatesFile(old, name)),
          parseCertificatesFile(next, name),
        );
      // HAProxy's copy of servers.json says nothing new.
      case "conf/servers.state":
        return [];
      default:
        return wholeLines(before !== undefined);
    }
  }

  async function currentRoutes(): Promise<Routes | undefined> {
    const [map, servers] = [await now(paths.map), await now(paths.servers)];
    return lenient(() => parseRoutes(map ?? new Uint8Array(), servers, shape));
  }
}

/** Undefined: the agent owns it, and here it has no place that the tools room reaches. */
function ownedIn(
  name: string,
  { paths, places }: CollectParts,
  archive: string,
): Owned | undefined {
  const owned = ownedNamed(name, paths, places);
  if (owned || ownedNamed(name, paths, UNKNOWN_PLACES)) return owned;
  throw new AgentError(
    "STATE_CORRUPT",
    `${archive} holds ${JSON.stringify(name.slice(0, 300))}, which is no file of the agent's.`,
    { hint: "Give a file that `haproxy-mcp backup` wrote. Nothing was changed." },
  );
}

function otherRoot(then: string, now: string, archive: string): AgentError {
  return new AgentError(
    "REFUSED",
    `${archive} is of HAPROXY_ROOT ${then}, and this one is ${now}.`,
    {
      hint:
        `haproxy.cfg and the crt-list name files by their whole path: restore it where the root is ${then}. ` +
        "Nothing was changed.",
    },
  );
}

/** Keys before the lists that name them, servers before the map that leads to them. */
function inOrder(changes: readonly FileChange[]): readonly FileChange[] {
  const rank = ({ file }: FileChange) => file.endsWith(".pem") ? 0 : file.endsWith(".map") ? 2 : 1;
  return changes.toSorted((a, b) => rank(a) - rank(b));
}

/** What lies here may be what is wrong. */
function lenient<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);
