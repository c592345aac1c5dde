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
  const net = [directory, cloudflare.api].map((url) => {
    const { hostname, port } = new URL(url);
    return `${hostname}:${port || 443}`;
  });
  return { net: [...new Set(net)] };
}

/** Its own listening address. */
export function httpGrants({ host, port }: FrontSettings): Grants {
  return { net: [address(host, port)] };
}

/** stdin and stdout are open to every room; nothing else is needed. */
export const STDIO_GRANTS: Grants = {};

/** Enough to answer what the tools are. */
export const NO_GRANTS: Grants = {};

const address = (host: string, port: number) =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;
