/** acme.sh's acts with a root of their own, and what stands in for acme.sh. */
import { dirname, join } from "node:path";
import { readSettings } from "../../../lib/config.ts";
import { type AcmeShActs, acmeShActs } from "../../../lib/supervisor/host/acme_sh.ts";
import { eventually } from "../../support/eventually.ts";
import { type Folder, makeFolder } from "./fixtures.ts";

export const KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n";
export const CHAIN = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
export const TOKEN = "token-of-somebody";

export interface AcmeSh extends AsyncDisposable, AcmeShActs {
  readonly folder: Folder;
  readonly root: string;
  /** What acme.sh's home held when the stand-in ended, by the file's name. */
  home(name: string): Promise<string | undefined>;
  /** What lies in the folder that the tools room can read. */
  kept(): Promise<string[]>;
}

export interface AcmeShOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** A shell script; `$home` and `$domain` are what it was told. @default {one that issues} */
  readonly body?: string;
  readonly issueMs?: number;
}

/** Leaves the files of a certificate, and that it has ended, as the real one does. */
export const ISSUES = `mkdir "$home/\${domain}_ecc"
printf '%s' '${KEY}' >"$home/\${domain}_ecc/$domain.key"
printf '%s' '${CHAIN}' >"$home/\${domain}_ecc/fullchain.cer"`;

export async function openAcmeSh(options: AcmeShOptions = {}): Promise<AcmeSh> {
  const { env = {}, body = ISSUES, issueMs } = options;
  const folder = await makeFolder();
  const root = join(folder.path, "root");
  await Deno.mkdir(join(root, "data"), { recursive: true });
  await folder.program(
    "acme.sh",
    `while [ $# -gt 0 ]; do
case $1 in --config-home) home=$2 ;; -d) domain=\${domain:-$2} ;; esac
shift
done
trap 'rm -rf "${folder.path}/home"; : >"$home/ended"; cp -r "$home" "${folder.path}/home"' EXIT
${body}`,
  );
  const { acme, files } = readSettings({ HAPROXY_ROOT: root, CF_Token: TOKEN, ...env });
  const acts = acmeShActs({ acme, files, path: folder.path, issueMs });
  return {
    ...acts,
    folder,
    root,
    home: (name) => Deno.readTextFile(join(folder.path, "home", name)).catch(() => undefined),
    async kept() {
      try {
        const entries = await Array.fromAsync(Deno.readDir(join(root, "data/acme/acme.sh")));
        return entries.map(({ name }) => name).sort();
      } catch {
        return [];
      }
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** The homes of acme.sh that there are now. */
export async function homes(): Promise<string[]> {
  const probe = await Deno.makeTempDir();
  await Deno.remove(probe);
  const folder = dirname(probe);
  const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  return names.filter((name) => name.startsWith("haproxy-mcp-acme.sh-"))
    .map((name) => join(folder, name));
}

/** Resolves once none is left of those that came since. Other tests' come and go; one that was left stays. */
export async function homesGone(before: readonly string[]): Promise<void> {
  let since = (await homes()).filter((home) => !before.includes(home));
  await eventually(async () => {
    const now = await homes();
    since = since.filter((home) => now.includes(home));
    return since.length === 0;
  }, 60_000);
}
