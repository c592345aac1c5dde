/** A backup: a tar archive whose first file, manifest.json, says when and of what it was made, and has the others' digests. */
import * as z from "zod";
import { sha256 } from "../bytes.ts";
import { AgentError } from "../errors.ts";
import { MAX_ARCHIVE, MAX_FILE } from "./limits.ts";
import { readTar, writeTar } from "./tar.ts";

/** Raised with every change that an older version would misread. */
const VERSION = 1;
const MANIFEST = "manifest.json";

const manifestJson = z.strictObject({
  version: z.literal(VERSION),
  /** `haproxy-mcp 0.1.0`. */
  made_by: z.string(),
  /** When, ISO 8601 UTC. */
  at: z.iso.datetime(),
  /** HAPROXY_ROOT as it was set: haproxy.cfg and the crt-list name files by their whole path. */
  root: z.string(),
  /** Pools and slots as they were set. */
  pools: z.int(),
  slots: z.int(),
  /** Private keys and tokens are in it. */
  secrets: z.boolean(),
  files: z.record(z.string(), z.strictObject({ size: z.int().min(0), sha256: z.string() })),
});
export type Manifest = z.output<typeof manifestJson>;
export type Origin = Omit<Manifest, "version" | "files">;

export interface Backup {
  readonly manifest: Origin;
  /** By their names in the archive. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Throws STATE_IO for what would be too large to be read again. */
export function packBackup({ manifest: origin, files }: Backup): Uint8Array<ArrayBuffer> {
  const described = [...files].map(([name, content]) =>
    [name, { size: content.length, sha256: sha256(content) }] as const
  );
  const manifest: Manifest = { version: VERSION, ...origin, files: Object.fromEntries(described) };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  const archive = writeTar([
    { name: MANIFEST, content: new TextEncoder().encode(text) },
    ...Array.from(files, ([name, content]) => ({ name, content })),
  ], { time: Math.floor(Date.parse(origin.at) / 1000) });
  const large = [...files].find(([, content]) => content.length > MAX_FILE)?.[0];
  if (large === undefined && archive.length <= MAX_ARCHIVE) return archive;
  throw new AgentError(
    "STATE_IO",
    large === undefined
      ? `The backup would be larger than ${MAX_ARCHIVE} bytes, and could not be restored.`
      : `${large} is larger than ${MAX_FILE} bytes, and could not be restored.`,
    { hint: "Nothing was written. Old audit logs (data/audit.jsonl.*) may be moved elsewhere." },
  );
}

/**
 * Reads it whole. What its files are called, and what they hold, is the caller's to judge.
 *
 * @param file named in errors
 * @throws {AgentError} STATE_CORRUPT; UNSUPPORTED for one that a newer version made
 */
export function unpackBackup(archive: Uint8Array, file: string): Backup {
  const corrupt = (why: string) =>
    new AgentError("STATE_CORRUPT", `${file} is no whole backup: ${why}.`, {
      hint: "Give a file that `haproxy-mcp backup` wrote, as it wrote it. Nothing was changed.",
    });
  const [first, ...others] = read(archive, corrupt);
  if (first?.name !== MANIFEST) throw corrupt(`its first file is not ${MANIFEST}`);
  const manifest = readManifest(first.content, file, corrupt);
  const files = new Map<string, Uint8Array>();
  for (const { name, content } of others) {
    const said = Object.hasOwn(manifest.files, name) ? manifest.files[name] : undefined;
    if (!said) throw corrupt(`${MANIFEST} does not name ${JSON.stringify(name.slice(0, 300))}`);
    if (files.has(name)) throw corrupt(`${name} stands in it twice`);
    if (content.length > MAX_FILE) throw corrupt(`${name} is larger than ${MAX_FILE} bytes`);
    if (said.size !== content.length || said.sha256 !== sha256(content)) {
      throw corrupt(`${name} is not what ${MANIFEST} says (SHA-256)`);
    }
    files.set(name, content);
  }
  const missing = Object.keys(manifest.files).find((name) => !files.has(name));
  if (missing !== undefined) throw corrupt(`${missing.slice(0, 300)} is missing`);
  return { manifest, files };
}

function read(archive: Uint8Array, corrupt: (why: string) => AgentError) {
  if (archive.length > MAX_ARCHIVE) throw corrupt(`it is larger than ${MAX_ARCHIVE} bytes`);
  try {
    return readTar(archive);
  } catch (cause) {
    if (cause instanceof SyntaxError) throw corrupt(cause.message);
    throw cause;
  }
}

function readManifest(
  content: Uint8Array,
  file: string,
  corrupt: (why: string) => AgentError,
): Manifest {
  const json = parseJson(new TextDecoder().decode(content));
  const { version } = (json ?? {}) as { readonly version?: unknown };
  if (typeof version === "number" && version > VERSION) {
    throw new AgentError("UNSUPPORTED", `${file} was made by a newer haproxy-mcp.`, {
      hint: `It is a backup of version ${version}; this one reads version ${VERSION}. ` +
        "Restore it with the haproxy-mcp that made it, or a newer one. Nothing was changed.",
    });
  }
  const parsed = manifestJson.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw corrupt([MANIFEST, path.join("."), message].filter(Boolean).join(": "));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
