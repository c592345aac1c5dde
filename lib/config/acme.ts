/** The settings about certificates: who issues them, how the domains are proved, when they are renewed. */
import { isAbsolute, resolve } from "node:path";
import { CONTROL, type Environment, reader, SettingsError } from "./reader.ts";

export const ACME_VARIABLES = [
  "ACME_CA_FILE",
  "ACME_CLIENT",
  "ACME_DIRECTORY",
  "ACME_DNS_SERVERS",
  "ACME_DNS_WAIT",
  "ACME_EAB_HMAC_KEY",
  "ACME_EAB_HMAC_KEY_FILE",
  "ACME_EAB_KID",
  "ACME_EAB_KID_FILE",
  "ACME_EMAIL",
  "ACME_SH",
  "CF_API_URL",
  "CF_Account_ID",
  "CF_Account_ID_FILE",
  "CF_Token",
  "CF_Token_FILE",
  "CF_Zone_ID",
  "CF_Zone_ID_FILE",
  "MCP_AUTO_RENEW",
] as const;
type Variable = typeof ACME_VARIABLES[number];

/** Those that hold a secret as it is. The command line takes them out of the process's environment. */
export const SECRET_VARIABLES = [
  "ACME_EAB_HMAC_KEY",
  "ACME_EAB_KID",
  "CF_Token",
] as const satisfies Variable[];

/** Given as it is, or in a file that is read each time it is needed. */
export type Secret =
  | { readonly variable: string; readonly value: string }
  | { readonly variable: string; readonly file: string };

export const ACME_CLIENTS = ["builtin", "acme.sh"] as const;
export type AcmeClientName = typeof ACME_CLIENTS[number];

export interface CloudflareSettings {
  readonly token?: Secret;
  readonly accountId?: Secret;
  readonly zoneId?: Secret;
  /** Base URL without a slash at the end. */
  readonly api: string;
}

export interface AcmeSettings {
  readonly client: AcmeClientName;
  /** acme.sh's name or absolute path; undefined: `acme.sh` in PATH. */
  readonly acmeSh?: string;
  /** URL of the CA's directory (RFC 8555, 7.1.1). */
  readonly directory: string;
  readonly email?: string;
  /** A private CA's root, PEM; may lie outside of HAPROXY_ROOT. */
  readonly caFile?: string;
  /** External Account Binding (RFC 8555, 7.3.4). */
  readonly eab?: { readonly kid: Secret; readonly hmacKey: Secret };
  readonly cloudflare: CloudflareSettings;
  /** `address:port` of those to ask for the challenge's record; empty: the zone's own servers. */
  readonly dnsServers: readonly string[];
  /** Seconds that the challenge's record may take to appear; 0: not looked for. */
  readonly dnsWait: number;
  /** `serve` renews what is due. */
  readonly autoRenew: boolean;
}

/** Short names of ACME_DIRECTORY. */
export const ACME_DIRECTORIES: Readonly<Record<string, string>> = {
  google: "https://dv.acme-v02.api.pki.goog/directory",
  letsencrypt: "https://acme-v02.api.letsencrypt.org/directory",
  "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
};

/**
 * Throws SettingsError.
 *
 * @param root relative files lie below it
 */
export function readAcmeSettings(env: Environment, root: string): AcmeSettings {
  const { text, list, integer, choice, flag } = reader<Variable>(env);

  function secret(
    name: "ACME_EAB_HMAC_KEY" | "ACME_EAB_KID" | `CF_${"Token" | "Account_ID" | "Zone_ID"}`,
  ) {
    const value = text(name, ""), file = text(`${name}_FILE`, "");
    if (value && file) {
      throw new SettingsError(`${name}_FILE`, file, `either this or ${name} is, not both`);
    }
    if (file) {
      return { variable: `${name}_FILE`, file: oneLine(`${name}_FILE`, resolve(root, file)) };
    }
    // A token goes into a header, a key id into JSON: neither has blanks or control characters.
    if (value && !/^[!-~]{1,4096}$/.test(value)) {
      throw new SettingsError(name, "…", "a value without blanks is");
    }
    return value ? { variable: name, value } : undefined;
  }

  function httpsUrl(name: "ACME_DIRECTORY" | "CF_API_URL", value: string): string {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url?.protocol === "https:" && !url.username && !url.password && !url.hash) return url.href;
    const short = name === "ACME_DIRECTORY" ? `, ${Object.keys(ACME_DIRECTORIES).join(", ")}` : "";
    throw new SettingsError(name, value, `a URL that begins with https://${short} is`);
  }

  const named = text("ACME_DIRECTORY", "google");
  const directory = httpsUrl("ACME_DIRECTORY", ACME_DIRECTORIES[named.toLowerCase()] ?? named);
  const kid = secret("ACME_EAB_KID"), hmacKey = secret("ACME_EAB_HMAC_KEY");
  if ((kid === undefined) !== (hmacKey === undefined)) {
    const missing = kid ? "ACME_EAB_HMAC_KEY" : "ACME_EAB_KID";
    throw new SettingsError(
      missing,
      "",
      "both ACME_EAB_KID and ACME_EAB_HMAC_KEY, or neither, are",
    );
  }
  const email = text("ACME_EMAIL", "");
  if (email && !/^[^\s@<>,;:"()[\]\\]{1,64}@[0-9A-Za-z.-]{1,253}$/.test(email)) {
    throw new SettingsError("ACME_EMAIL", email, "an e-mail address is");
  }
  const acmeSh = text("ACME_SH", "");
  if (acmeSh && (CONTROL.test(acmeSh) || (acmeSh.includes("/") && !isAbsolute(acmeSh)))) {
    throw new SettingsError("ACME_SH", acmeSh, "a program's name or absolute path is");
  }
  // Main runs it, and whatever lies under the root the tools room can write.
  if (isAbsolute(acmeSh) && resolve(acmeSh).startsWith(`${root}/`)) {
    throw new SettingsError("ACME_SH", acmeSh, "a program outside of HAPROXY_ROOT is");
  }
  const caFile = text("ACME_CA_FILE", "");
  const dnsServers = list("ACME_DNS_SERVERS", "");
  for (const server of dnsServers) {
    if (!/^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):\d{1,5}$/.test(server)) {
      throw new SettingsError("ACME_DNS_SERVERS", server, "address:port, separated by commas, is");
    }
  }
  const token = secret("CF_Token"),
    accountId = secret("CF_Account_ID"),
    zoneId = secret("CF_Zone_ID");
  return {
    client: choice("ACME_CLIENT", "builtin", ACME_CLIENTS),
    ...(acmeSh && { acmeSh }),
    directory,
    ...(email && { email }),
    ...(caFile && { caFile: oneLine("ACME_CA_FILE", resolve(root, caFile)) }),
    ...(kid && hmacKey && { eab: { kid, hmacKey } }),
    cloudflare: {
      ...(token && { token }),
      ...(accountId && { accountId }),
      ...(zoneId && { zoneId }),
      api: httpsUrl("CF_API_URL", text("CF_API_URL", "https://api.cloudflare.com/client/v4"))
        .replace(/\/+$/, ""),
    },
    dnsServers,
    dnsWait: integer("ACME_DNS_WAIT", 120, 0, 600),
    autoRenew: flag("MCP_AUTO_RENEW", true),
  };
}

function oneLine(variable: string, path: string): string {
  if (CONTROL.test(path)) throw new SettingsError(variable, path, "a path of one line is");
  return path;
}
