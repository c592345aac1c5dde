/** IP addresses and ports of servers: what is accepted, in one spelling each. */
import { isIPv4, isIPv6 } from "node:net";
import { AgentError } from "../errors.ts";

/**
 * The one spelling of an IP address, or undefined: IPv4 in dotted form, IPv6 as RFC 5952 writes it,
 * an IPv4-mapped IPv6 address as IPv4.
 */
export function canonicalIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const address = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address);
  if (!mapped) return address;
  const [high, low] = [parseInt(mapped[1], 16), parseInt(mapped[2], 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** Why no server can have this address, or undefined. `ip` is canonical. */
function unusable(ip: string): string | undefined {
  if (ip.includes(".")) {
    const [first, second] = ip.split(".").map(Number);
    if (first === 0) return "it is unspecified";
    if (first === 169 && second === 254) return "it is link-local";
    if (first >= 224 && first <= 239) return "it is a multicast address";
    if (ip === "255.255.255.255") return "it is the broadcast address";
    return undefined;
  }
  if (ip === "::") return "it is unspecified";
  // Of four digits: a shorter first group has zeros in front.
  if (/^fe[89ab][0-9a-f]:/.test(ip)) return "it is link-local";
  if (/^ff[0-9a-f]{2}:/.test(ip)) return "it is a multicast address";
  return undefined;
}

/** The canonical address of a server. Throws VALIDATION for names, zones and addresses no server can have. */
export function parseServerIp(text: string): string {
  const ip = canonicalIp(text);
  const why = ip === undefined ? "it is not an IPv4 or IPv6 address" : unusable(ip);
  if (ip === undefined || why) {
    throw new AgentError("VALIDATION", `ip ${JSON.stringify(text)} can't be used: ${why}.`, {
      hint: "Give the server's own address, such as 10.0.0.1 or 2001:db8::1.",
    });
  }
  return ip;
}

/** True for a port that a server can listen on. */
export function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65535;
}
