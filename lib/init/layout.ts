/** Writes the folders and files under HAPROXY_ROOT. What exists stays: people and the agent keep their truth there. */
import { basename, dirname, join } from "node:path";
import { haproxyConfig } from "./config.ts";
import { exists, type InitFiles, openFiles, type WrittenFile } from "./files.ts";
import { type InitOptions, paths } from "./options.ts";
import { selfSignedPem } from "./self_signed.ts";

export interface LayoutOptions {
  /** Replace haproxy.cfg. Domains, servers, certificates and keys are never replaced. @default {false} */
  readonly force?: boolean;
}

/** Folders by path under the root and mode; the umask may take more away. */
const FOLDERS: readonly (readonly [string, number])[] = [
  ["conf", 0o755],
  ["certs", 0o700],
  ["data", 0o700],
  ["data/journal", 0o700],
  ["run", 0o700],
  ["run/chroot", 0o555],
];

const EMPTY_MAP = `\
# Domain, blank, pool. A line whose domain starts with a dot is the wildcard of that domain:
# .example.com stands for a.example.com and b.example.com, not for example.com or a.b.example.com.
`;
/** Version 1, no server (the format of "show servers state"). */
const EMPTY_SERVER_STATE = `\
1
# Made by haproxy-mcp from servers.json; HAProxy reads it at start. Do not edit: one bad line and it is ignored.
`;

/**
 * Makes everything that HAProxy and the agent need under the root.
 *
 * @returns every file with what became of it, in the order of writing
 */
export async function writeLayout(
  options: InitOptions,
  { force = false }: LayoutOptions = {},
): Promise<readonly WrittenFile[]> {
  const { root, map, serverState, otherConfig } = options;
  const { config, servers } = paths(root);
  const files = openFiles(root);
  await files.folder(root, 0o755);
  for (const [folder, mode] of FOLDERS) await files.folder(join(root, folder), mode);
  const kept = otherConfig !== undefined
    ? await files.text(otherConfig) ?? ""
    : force
    ? undefined
    : await files.text(config);
  const written = [
    await files.create(map, 0o644, () => EMPTY_MAP),
    await files.create(servers, 0o644, () => "{}\n"),
    await files.create(serverState, 0o644, () => EMPTY_SERVER_STATE),
    ...await writeCertificates(files, options, kept),
  ];
  if (otherConfig !== undefined) return written;
  return [
    ...written,
    force
      ? await files.replace(config, 0o644, haproxyConfig(options))
      : await files.create(config, 0o644, () => haproxyConfig(options)),
  ];
}

/**
 * The crt-list with its first certificate, the one for names that no other line has.
 *
 * A haproxy.cfg of somebody else's may name the folder itself (`crt DIR`): HAProxy then reads each file in it as a
 * certificate, so there they are not made. One that names a crt-list which is missing gets what lies in the folder, in
 * the order in which HAProxy read the folder. So does a new one, behind its default: an old one may have named the folder.
 *
 * @param kept the haproxy.cfg that stays
 */
async function writeCertificates(
  files: InitFiles,
  { root }: InitOptions,
  kept: string | undefined,
): Promise<readonly WrittenFile[]> {
  const { crtList, defaultCertificate } = paths(root);
  const named = kept === undefined ? crtList : crtListIn(kept, basename(crtList));
  if (named === undefined) return [];
  const folder = dirname(defaultCertificate);
  const present = exists(crtList) ? [] : await certificatesIn(folder);
  const isDefaultWanted = kept === undefined || present.length === 0;
  const keyMode = await certificateMode(folder);
  const made = isDefaultWanted
    ? [await files.create(defaultCertificate, keyMode, () => selfSignedPem())]
    : [];
  const names = new Set(isDefaultWanted ? [basename(defaultCertificate), ...present] : present);
  const lines = Array.from(names, (name) => `${join(dirname(named), name)}\n`).join("");
  return [...made, await files.create(crtList, 0o644, () => lines)];
}

/** How a haproxy.cfg spells the crt-list of this name; undefined: it names none. */
function crtListIn(config: string, name: string): string | undefined {
  for (const line of config.split("\n")) {
    const [, path] = /^[^#]*\scrt-list\s+["']?([^\s"']+)/.exec(line) ?? [];
    if (path !== undefined && basename(path) === name) return path;
  }
}

async function certificatesIn(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.map(({ name }) => name).filter((name) => /^[^.].*\.pem$/.test(name)).sort();
}

/** 0640 where the folder hands its group (HAProxy's) down to its files, else 0600. */
async function certificateMode(folder: string): Promise<number> {
  const SETGID = 0o2000;
  const { mode } = await Deno.stat(folder);
  return mode !== null && mode & SETGID ? 0o640 : 0o600;
}
