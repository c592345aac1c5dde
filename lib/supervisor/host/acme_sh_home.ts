/**
 * The folder that one run of acme.sh has for its home. acme.sh reads its configuration as shell code, so this lies where
 * the tools room can't write, and it ends with the run: what acme.sh has to know again is kept as data, under the root.
 */
import { basename, dirname, join } from "node:path";
import { AgentError } from "../../errors.ts";
import { AGENT_SH } from "./acme_sh_script.ts";

const PREFIX = "haproxy-mcp-acme.sh-";
/** Longer than any run. What is older was left by a process that was killed. */
const LEFT_MS = 60 * 60_000;
/** acme.sh's bundle replaces the system's, and Cloudflare has a public certificate. */
const SYSTEM_ROOTS = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

/** An account at the CA, as acme.sh has registered it. */
export interface AcmeShAccount {
  /** Private key, PEM. */
  readonly key: string;
  readonly url: string;
}

export interface AcmeShHome {
  readonly path: string;
  /** For --ca-bundle; undefined: curl's own. */
  readonly caBundle?: string;
  /** The account that it used; undefined: it came to none. */
  account(): Promise<AcmeShAccount | undefined>;
  issued(domain: string): Promise<{ readonly key: string; readonly chain: string }>;
  /** acme.sh came to its end, where it takes its TXT records out. */
  ended(): Promise<boolean>;
  remove(): Promise<void>;
}

export interface AcmeShHomeOptions {
  /** Nothing of it may lie there. */
  readonly root: string;
  readonly account?: AcmeShAccount;
  /** Needed for a new account. */
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
  readonly caPem?: string;
}

/** Throws UNSUPPORTED where there is no place for it, VALIDATION. */
export async function makeAcmeShHome(options: AcmeShHomeOptions): Promise<AcmeShHome> {
  const { root, account, eab, caPem } = options;
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: PREFIX }));
  const at = (name: string) => join(path, name);
  const read = (name: string) => Deno.readTextFile(at(name)).catch(() => undefined);
  const remove = () => Deno.remove(path, { recursive: true });
  try {
    // acme.sh puts the path into commands as it is.
    if (path.startsWith(`${root}/`) || !/^[\w./-]+$/.test(path)) {
      throw new AgentError("UNSUPPORTED", `acme.sh can't have its home at ${path}.`, {
        hint: "Let TMPDIR name a folder outside of HAPROXY_ROOT, without blanks in its path.",
      });
    }
    await removeLeft(dirname(path));
    const known = account
      ? { ACCOUNT_URL: account.url, CA_KEY_HASH: await hash(account.key) }
      : { ...(eab && { CA_EAB_KEY_ID: eab.kid, CA_EAB_HMAC_KEY: eab.hmacKey }) };
    const files = {
      "account.conf": `. "$LE_CONFIG_HOME/haproxy-mcp.sh"\n`,
      "haproxy-mcp.sh": AGENT_SH,
      "ca.conf": Object.entries(known).map(([name, value]) =>
        `${name}='${quotable(name, value)}'\n`
      )
        .join(""),
      ...(account && { "account.key": account.key }),
      ...(caPem && { "ca.pem": `${await systemRoots()}\n${caPem}` }),
    };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(at(name), text, { createNew: true, mode: 0o600 });
    }
  } catch (cause) {
    await remove();
    throw cause;
  }
  return {
    path,
    ...(caPem && { caBundle: at("ca.pem") }),
    async account() {
      const [key, conf] = await Promise.all([read("account.key"), read("ca.conf")]);
      const url = /^ACCOUNT_URL='([^']+)'$/m.exec(conf ?? "")?.[1];
      return key && url ? { key, url } : undefined;
    },
    async issued(domain) {
      const [key, chain] = await Promise.all(
        [`${domain}.key`, "fullchain.cer"].map((name) => read(`${domain}_ecc/${name}`)),
      );
      if (key && chain) return { key, chain };
      throw new AgentError("ACME", `acme.sh ended well, and left no certificate for ${domain}.`);
    },
    ended: async () => await read("ended") !== undefined,
    remove,
  };
}

/** CA_KEY_HASH: acme.sh registers a key again where this is another one. */
async function hash(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  return new Uint8Array(digest).toBase64();
}

/** A value that the shell reads as it is, between single quotation marks. */
function quotable(name: string, value: string): string {
  if (/^[!-&(-~]+$/.test(value)) return value;
  throw new AgentError("VALIDATION", `acme.sh can't be given ${name}: it holds a quotation mark.`);
}

async function systemRoots(): Promise<string> {
  for (const path of SYSTEM_ROOTS) {
    const text = await Deno.readTextFile(path).catch(() => undefined);
    if (text) return text;
  }
  return "";
}

async function removeLeft(folder: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory || !name.startsWith(PREFIX)) continue;
    const path = join(folder, basename(name));
    const info = await Deno.lstat(path).catch(() => undefined);
    const age = Date.now() - (info?.mtime?.getTime() ?? Date.now());
    if (info?.isDirectory && info.uid === Deno.uid() && age > LEFT_MS) {
      await Deno.remove(path, { recursive: true }).catch(() => {});
    }
  }
}
