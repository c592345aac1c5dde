/** Writes the folders and files under HAPROXY_ROOT. What exists stays: people and the agent keep their truth there. */
import { basename, dirname, join } from "node:path";
import { haproxyConfig } from "./config.ts";
import { type InitOptions, paths } from "./options.ts";
import { selfSignedPem } from "./self_signed.ts";

export interface LayoutOptions {
  /** Replace haproxy.cfg. Domains, servers, certificates and keys are never replaced. @default {false} */
  readonly force?: boolean;
}

export interface LayoutFile {
  readonly path: string;
  readonly outcome: "written" | "kept" | "replaced";
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
 * Makes everything that HAProxy and the agent need under the root, each file by temporary file,
 * fsync and rename.
 *
 * @returns every file with what became of it, in the order of writing
 */
export async function writeLayout(
  options: InitOptions,
  { force = false }: LayoutOptions = {},
): Promise<readonly LayoutFile[]> {
  const { root, map, serverState } = options;
  const { config, crtList, defaultCertificate, servers } = paths(root);
  await Deno.mkdir(root, { recursive: true });
  for (const [folder, mode] of FOLDERS) {
    await Deno.mkdir(join(root, folder), { recursive: true, mode });
  }
  const keyMode = await certificateMode(dirname(defaultCertificate));
  return [
    await create(map, 0o644, () => EMPTY_MAP),
    await create(servers, 0o644, () => "{}\n"),
    await create(serverState, 0o644, () => EMPTY_SERVER_STATE),
    await create(defaultCertificate, keyMode, () => selfSignedPem()),
    // The first line of a crt-list is the certificate for names that no other line has.
    await create(crtList, 0o644, () => `${defaultCertificate}\n`),
    force
      ? await replace(config, 0o644, haproxyConfig(options))
      : await create(config, 0o644, () => haproxyConfig(options)),
  ];
}

/** 0640 where the folder hands its group (HAProxy's) down to its files, else 0600. */
async function certificateMode(folder: string): Promise<number> {
  const SETGID = 0o2000;
  const { mode } = await Deno.stat(folder);
  return mode !== null && mode & SETGID ? 0o640 : 0o600;
}

async function create(
  path: string,
  mode: number,
  content: () => string | Promise<string>,
): Promise<LayoutFile> {
  if (await exists(path)) return { path, outcome: "kept" };
  const temporary = await writeBeside(path, mode, await content());
  try {
    // A link and not a rename: it fails where somebody else made the file in the meantime.
    await Deno.link(temporary, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    return { path, outcome: "kept" };
  } finally {
    await Deno.remove(temporary);
  }
  await sync(dirname(path));
  return { path, outcome: "written" };
}

async function replace(path: string, mode: number, content: string): Promise<LayoutFile> {
  const outcome = await exists(path) ? "replaced" : "written";
  await Deno.rename(await writeBeside(path, mode, content), path);
  await sync(dirname(path));
  return { path, outcome };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function writeBeside(path: string, mode: number, content: string): Promise<string> {
  const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID()}`);
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(temporary, content, { createNew: true, mode });
  await sync(temporary);
  return temporary;
}

/** For a folder: the names in it. */
async function sync(path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.sync();
}
