/** What each room may touch, worked out from the settings. Whatever is not listed here is denied. */
import type { AcmeSettings, FrontSettings, HaproxySettings } from "../config.ts";

/** Deno permissions of a room: paths, and `host:port` for the network. */
export interface Grants {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  readonly net?: readonly string[];
}

/** Deno takes these for different hosts, HAProxy and people take them for one. */
const LOOPBACK = ["localhost", "127.0.0.1", "::1"];

/** Files under the root, which must be real (no links in it), and the Runtime API. */
export function toolsGrants(root: string, { host, port }: HaproxySettings): Grants {
  const hosts = LOOPBACK.includes(host.toLowerCase()) ? LOOPBACK : [host];
  return { read: [root], write: [root], net: hosts.map((name) => address(name, port)) };
}

/** The CA and the DNS provider's API, under the names that the settings give them. */
export function acmeGrants(
  { directory, cloudflare }: Pick<AcmeSettings, "directory" | "cloudflare">,
): Grants {
  return { net: [...new Set([directory, cloudflare.api].map(addressOf))] };
}

/** Its own listening address, and where OAuth is on the one host that has the issuer's keys. */
export function httpGrants({ host, port, oauth }: FrontSettings): Grants {
  const issuer = oauth ? [addressOf(oauth.jwksUrl ?? oauth.issuer)] : [];
  return { net: [address(host, port), ...issuer] };
}

/** stdin and stdout are open to every room; nothing else is needed. */
export const STDIO_GRANTS: Grants = {};

/** Enough to answer what the tools are. */
export const NO_GRANTS: Grants = {};

const address = (host: string, port: number) =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

function addressOf(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  return `${hostname}:${port || (protocol === "http:" ? 80 : 443)}`;
}
