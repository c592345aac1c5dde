/** The names a request's Host header may carry where MCP_ALLOWED_HOSTS does not say: a page of a stranger has another. */
import type { FrontSettings } from "../config.ts";

/**
 * Loopback's names, every address of this machine, and MCP_HOST.
 *
 * @param addresses this machine's own, IPv6 without brackets or zone
 */
export function allowedHosts(settings: FrontSettings, addresses: readonly string[]): string[] {
  if (settings.allowedHosts) return [...settings.allowedHosts];
  const names = ["localhost", "127.0.0.1", "::1", settings.host, ...addresses];
  return [...new Set(names.map((name) => name.includes(":") ? `[${name}]` : name.toLowerCase()))];
}

export function machineAddresses(): string[] {
  return Deno.networkInterfaces().map(({ address }) => address.split("%")[0]);
}
