/** What the agent owns under HAPROXY_ROOT, each file by its place in a backup: that of the defaults, wherever the settings put it. */
import { join } from "node:path";
import { settingsFilePath } from "../config/settings_file.ts";
import type { Files } from "../config.ts";
import type { RootFiles } from "../sandbox/files.ts";
import { AUDIT_LIMITS } from "../state/audit.ts";

/** Files that main knows of; undefined where one lies outside of the root, which the tools room can't reach. */
export interface Places {
  readonly configFile?: string;
  readonly tokenFile?: string;
}

export type Kind =
  /** What all the rest follows from: replaced together, and gone where the backup had none. */
  | "state"
  /** haproxy.cfg, and the user's own copy of the servers. */
  | "user's"
  /** What was done. It is put back only where there is none. */
  | "audit"
  /** Keys, tokens and settings with tokens: taken only when asked for. */
  | "secret";

export interface Owned {
  /** `conf/domains.map`. */
  readonly name: string;
  /** On this machine. */
  readonly path: string;
  readonly kind: Kind;
  /** It is about certificates. */
  readonly certificates: boolean;
  /** Where the agent is a user of its own it is root's: HAProxy, or the unit, would do for root what stands in it. */
  readonly roots?: boolean;
}

/** The names that the rest of the code asks for. */
export const NAMES = {
  map: "conf/domains.map",
  servers: "conf/servers.json",
  certificates: "conf/certificates.json",
  crtList: "certs/crt-list.txt",
  config: "conf/haproxy.cfg",
} as const;

type Paths = Pick<
  Files,
  | "root"
  | "map"
  | "servers"
  | "certificates"
  | "crtList"
  | "savedState"
  | "audit"
  | "certsFolder"
  | "acmeFolder"
>;

/** Those with a name of their own; one that lies outside of the root is not among them. */
function single(paths: Paths, { configFile, tokenFile }: Places): Owned[] {
  const owned = (name: string, path: string | undefined, kind: Kind, certificates = false) =>
    path === undefined ? [] : [{ name, path, kind, certificates }];
  const audits = Array.from({ length: AUDIT_LIMITS.kept + 1 }, (_, i) => i === 0 ? "" : `.${i}`);
  return [
    ...owned(NAMES.map, paths.map, "state"),
    ...owned(NAMES.servers, paths.servers, "state"),
    ...owned(NAMES.certificates, paths.certificates, "state", true),
    ...owned(NAMES.crtList, paths.crtList, "state", true),
    ...roots(owned(NAMES.config, configFile, "user's")),
    ...owned("data/servers.state", paths.savedState, "user's"),
    ...audits.flatMap((end) => owned(`data/audit.jsonl${end}`, `${paths.audit}${end}`, "audit")),
    ...owned("conf/mcp-token.env", tokenFile, "secret"),
    ...roots(owned("conf/haproxy-mcp.env", settingsFilePath(paths.root), "secret")),
  ];
}

const roots = (owned: readonly Owned[]) => owned.map((each) => ({ ...each, roots: true }));

/** Files of a folder, whatever they are called. Names with a dot in front are half-written ones. */
const FOLDERS = [
  { folder: "certs", of: ({ certsFolder }: Paths) => certsFolder, file: /^[^./][^/]*\.pem$/ },
  {
    folder: "data/acme",
    of: ({ acmeFolder }: Paths) => acmeFolder,
    file: /^(account|kept)-[0-9a-f]{16}\.json$/,
  },
  {
    folder: "data/acme/acme.sh",
    of: ({ acmeFolder }: Paths) => join(acmeFolder, "acme.sh"),
    file: /^[^./][^/]*\.(json|key|cer)$/,
  },
] as const;

/** What a file's name on disk can be, in one component of a path. */
// deno-lint-ignore no-control-regex -- those are what it is about
const PLAIN = /^[^\0-\x1f\x7f]{1,255}$/;

/** What stands under that name in a backup; undefined: the agent owns no such file. */
export function ownedNamed(name: string, paths: Paths, places: Places): Owned | undefined {
  const one = single(paths, places).find((owned) => owned.name === name);
  if (one) return one;
  const slash = name.lastIndexOf("/");
  const [folder, file] = [name.slice(0, Math.max(0, slash)), name.slice(slash + 1)];
  const found = FOLDERS.find((each) => each.folder === folder && each.file.test(file));
  if (!found || !PLAIN.test(file)) return undefined;
  return { name, path: join(found.of(paths), file), kind: "secret", certificates: true };
}

/** All that are there. */
export async function ownedFiles(
  files: RootFiles,
  paths: Paths,
  places: Places,
): Promise<readonly Owned[]> {
  const found = single(paths, places);
  for (const { folder, of, file } of FOLDERS) {
    for (const name of await files.names(of(paths))) {
      if (!file.test(name) || !PLAIN.test(name)) continue;
      const owned = ownedNamed(`${folder}/${name}`, paths, places);
      if (owned) found.push(owned);
    }
  }
  return found.filter(({ path }) => files.signature(path) !== "missing");
}
