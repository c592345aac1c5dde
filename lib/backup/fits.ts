/** Whether the state that a backup holds can be put in place here: whole, of this shape, and such that HAProxy starts with it. */
import { basename } from "node:path";
import { isCertificate, isKey, readBlocks, unusable } from "../certificates/pem.ts";
import { readPrivateKey } from "../certificates/private_key.ts";
import { parseX509 } from "../certificates/x509.ts";
import { AgentError } from "../errors.ts";
import { poolNumber, type PoolShape } from "../names/server.ts";
import { type CertificatesFile, parseCertificatesFile } from "../state/certificates_file.ts";
import { type CrtListLine, parseCrtListFile } from "../state/crt_list_file.ts";
import { parseMapFile } from "../state/map_file.ts";
import type { Slots } from "../state/model.ts";
import { parseServersFile } from "../state/servers_file.ts";
import type { Backup } from "./archive.ts";
import { NAMES } from "./owned.ts";

/** What domains.map and servers.json say. */
export interface Routes {
  readonly map: ReadonlyMap<string, string>;
  readonly servers: ReadonlyMap<string, Slots>;
}

/** What the lists of certificates say; each undefined where the backup has no such file. */
export interface CertificateLists {
  readonly json?: CertificatesFile;
  readonly lines?: readonly CrtListLine[];
}

export const text = (content: Uint8Array): string =>
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(content);

/**
 * Throws STATE_CORRUPT with file and line; where pools or slots do not fit, with those that do.
 *
 * @param archive named in errors
 */
export function routesOf(
  { files, manifest }: Backup,
  shape: PoolShape,
  archive: string,
): Routes {
  const map = files.get(NAMES.map);
  if (map === undefined) {
    throw new AgentError("STATE_CORRUPT", `${archive} has no ${NAMES.map}.`, {
      hint: "Give a file that `haproxy-mcp backup` wrote. Nothing was changed.",
    });
  }
  try {
    const routes = parseRoutes(map, files.get(NAMES.servers), shape, `${archive}: `);
    for (const [key, backend] of routes.map) assertPool(key, backend, shape, archive);
    return routes;
  } catch (cause) {
    const { pools, slots } = manifest;
    if (pools <= shape.poolCount && slots <= shape.maxSlots) throw cause;
    const { code, message } = AgentError.from(cause);
    throw new AgentError(code, message, {
      hint:
        `The backup is of ${pools} pools of ${slots} slots, and here are ${shape.poolCount} of ` +
        `${shape.maxSlots}: raise HAPROXY_POOL_COUNT and HAPROXY_MAX_SLOTS, and let haproxy.cfg have as many. ` +
        "Nothing was changed.",
    });
  }
}

/** @param before stands before the files' names in errors */
export function parseRoutes(
  map: Uint8Array,
  servers: Uint8Array | undefined,
  shape: PoolShape,
  before = "",
): Routes {
  const backends = new Map(parseMapFile(text(map), `${before}${NAMES.map}`).entries());
  const json = servers === undefined ? "{}" : text(servers);
  const backendOf = (key: string) => backends.get(key);
  return {
    map: backends,
    servers: parseServersFile(json, `${before}${NAMES.servers}`, shape, backendOf),
  };
}

function assertPool(key: string, backend: string, shape: PoolShape, archive: string): void {
  if (!/^pool_\d+$/.test(backend) || poolNumber(backend, shape) !== undefined) return;
  throw new AgentError(
    "STATE_CORRUPT",
    `${archive}: ${NAMES.map}, ${key}: ${backend} is not one of the pools pool_1 to pool_${shape.poolCount}.`,
    { hint: "Set HAPROXY_POOL_COUNT as it was. Nothing was changed." },
  );
}

/** Throws STATE_CORRUPT with file and line. */
export function certificateListsOf({ files }: Backup, archive: string): CertificateLists {
  const [json, list] = [files.get(NAMES.certificates), files.get(NAMES.crtList)];
  const lines = list && parseCrtListFile(text(list), `${archive}: ${NAMES.crtList}`);
  if (lines?.length === 0) {
    throw new AgentError("STATE_CORRUPT", `${archive}: ${NAMES.crtList} names no certificate.`, {
      hint: "HAProxy does not start with such a list; --without-certificates leaves the one here.",
    });
  }
  return {
    ...(json && { json: parseCertificatesFile(text(json), `${archive}: ${NAMES.certificates}`) }),
    ...(lines && { lines }),
  };
}

/** The names in the archive of the PEM files that the lists want. */
export function listedPems({ json, lines = [] }: CertificateLists): ReadonlySet<string> {
  return new Set([
    ...lines.map(({ path }) => `certs/${basename(path)}`),
    ...(json?.domains ?? []).map((domain) => `certs/${domain}.pem`),
  ]);
}

/**
 * HAProxy does not start while its list names a file that is missing. Throws CERTIFICATE.
 *
 * @param isThere whether a file is, by its name in the archive
 * @param before the list that is in its place now
 */
export function assertPemsThere(
  { lines = [] }: CertificateLists,
  isThere: (name: string) => boolean,
  before: readonly CrtListLine[],
): void {
  const known = new Set(before.map(({ path }) => path));
  const missing = lines.filter(({ path }) =>
    !known.has(path) && !isThere(`certs/${basename(path)}`)
  ).map(({ path }) => basename(path));
  if (missing.length === 0) return;
  const names = [...new Set(missing)];
  const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
  throw new AgentError(
    "CERTIFICATE",
    `${NAMES.crtList} of the backup names ${
      names.slice(0, 5).join(", ")
    }${more}, which is neither in the backup nor in certs/: HAProxy would not start.`,
    {
      hint:
        "Restore a backup that was made --with-secrets, or put the files there. --without-certificates leaves the " +
        "certificates as they are here. Nothing was changed.",
      details: { missing: names },
    },
  );
}

/** What HAProxy would refuse at its start. Throws CERTIFICATE, which never holds anything of the key. */
export async function assertPemLoads(content: Uint8Array, file: string): Promise<void> {
  const blocks = readBlocks(text(content), file);
  // As HAProxy does: the first certificate is the one to be served.
  const { publicKey } = await parseX509(blocks.find(isCertificate)!.der).catch((cause) => {
    throw unusable(file, `its certificate can't be read: ${cause.message}`);
  });
  // A kind of key that we can't read HAProxy may know.
  const key = await readPrivateKey(blocks.find(isKey)!).catch(() => undefined);
  if (key && !key.fits(publicKey)) {
    throw unusable(file, "its private key does not belong to its first certificate");
  }
}
