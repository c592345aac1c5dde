/** Trusted networks: CIDR blocks, and whether an address lies in one of them. */
import { canonicalIp } from "./address.ts";
import { AgentError } from "../errors.ts";

export interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

interface Block extends Address {
  readonly prefix: number;
}

/** The address as a number; an IPv4-mapped IPv6 address counts as IPv4. A zone (fe80::1%eth0) is not part of it. */
export function parseAddress(text: string): Address | undefined {
  const ip = canonicalIp(text.replace(/%.*$/, ""));
  if (ip === undefined) return undefined;
  if (ip.includes(".")) {
    return { bits: 32, value: joinDigits(ip.split(".").map(Number), 8n) };
  }
  const [head, tail] = ip.split("::").map((half) => half ? half.split(":") : []);
  const zeros = tail ? new Array(8 - head.length - tail.length).fill("0") : [];
  const groups = [...head, ...zeros, ...(tail ?? [])];
  return { bits: 128, value: joinDigits(groups.map((group) => parseInt(group, 16)), 16n) };
}

function joinDigits(digits: readonly number[], width: bigint): bigint {
  return digits.reduce((value, digit) => (value << width) | BigInt(digit), 0n);
}

function parseBlock(cidr: string): Block | undefined {
  const [, text, length] = /^([^/]+)\/(\d{1,3})$/.exec(cidr) ?? [];
  const address = text === undefined ? undefined : parseAddress(text);
  if (!address) return undefined;
  // ::ffff:10.0.0.0/104 is written with 96 bits more than the 10.0.0.0/8 that it is.
  const prefix = Number(length) - (address.bits === 32 && text.includes(":") ? 96 : 0);
  return prefix >= 0 && prefix <= address.bits ? { ...address, prefix } : undefined;
}

/**
 * A test for membership in any of the blocks. An IPv4 address, mapped or not, lies in IPv4 blocks
 * only: `::/0` does not hold it. What is not an address lies in none.
 *
 * @param cidrs such as `100.64.0.0/10` or `fd00::/8`; host bits are ignored
 * @throws AgentError VALIDATION for the first that is no CIDR block
 */
export function createNetworks(cidrs: readonly string[]): (address: string) => boolean {
  const blocks = cidrs.map((cidr) => {
    const block = parseBlock(cidr);
    if (block) return block;
    throw new AgentError("VALIDATION", `MCP_TRUSTED_NETWORKS holds ${JSON.stringify(cidr)}.`, {
      hint: "Write CIDR blocks such as 100.64.0.0/10 or fd00::/8, or none.",
    });
  });
  return (text) => {
    const address = parseAddress(text);
    return address !== undefined && blocks.some(({ bits, value, prefix }) => {
      const rest = BigInt(bits - prefix);
      return bits === address.bits && value >> rest === address.value >> rest;
    });
  };
}
