/** What the servers of a zone show of a challenge: the one thing that main asks of strangers. */
import type { AcmeSettings } from "../../config.ts";
import type { AcmeHostActs, ChallengeSeen } from "../../certificates/acme/acts.ts";
import { AgentError } from "../../errors.ts";
import { parseDomain } from "../../names/domain.ts";
import type { CallContext } from "../../rpc/mod.ts";
import { ask, type DnsServer, type Resolve, resolveDns } from "./dns.ts";

const DNS_PORT = 53;
const MAX_SERVERS = 8;
/** The record is asked for each second while it spreads; its servers stay the same meanwhile. */
const KEEP_SERVERS_MS = 60_000;

interface NamedServer extends DnsServer {
  readonly name: string;
}

/** @param resolve as Deno does it, but in tests */
export function challengeLookUp(
  { dnsServers }: Pick<AcmeSettings, "dnsServers">,
  resolve: Resolve = resolveDns,
): (
  args: Parameters<AcmeHostActs["lookUpChallenge"]>[0],
  context: Pick<CallContext, "signal">,
) => Promise<ChallengeSeen[]> {
  const kept = new Map<string, { readonly servers: NamedServer[]; readonly until: number }>();

  async function serversOf(domain: string, signal: AbortSignal): Promise<NamedServer[]> {
    if (dnsServers.length > 0) return dnsServers.slice(0, MAX_SERVERS).map(readServer);
    const now = performance.now();
    for (const [name, { until }] of kept) if (until < now) kept.delete(name);
    const known = kept.get(domain);
    if (known) return known.servers;
    const servers = await findServers(domain, resolve, signal);
    kept.set(domain, { servers, until: now + KEEP_SERVERS_MS });
    return servers;
  }

  return async ({ domain }, { signal }) => {
    const { name, wildcard } = parseDomain(String(domain));
    if (wildcard) {
      throw new AgentError("VALIDATION", `The challenge of ${name} lies at the plain domain.`);
    }
    const servers = await serversOf(name, signal);
    return await Promise.all(servers.map(async (server): Promise<ChallengeSeen> => {
      try {
        const values = await ask(resolve, `_acme-challenge.${name}`, "TXT", { server, signal });
        return { server: server.name, values };
      } catch (cause) {
        signal.throwIfAborted();
        return { server: server.name, values: [], problem: AgentError.from(cause).message };
      }
    }));
  };
}

/** `192.0.2.1:53` or `[2001:db8::1]:53`. */
function readServer(name: string): NamedServer {
  const [, ipAddr, port] = /^\[?(.+?)\]?:(\d+)$/.exec(name)!;
  return { name, ipAddr, port: Number(port) };
}

/** One address of each server of the innermost zone that holds the domain. Throws ACME where there is none. */
async function findServers(
  domain: string,
  resolve: Resolve,
  signal: AbortSignal,
): Promise<NamedServer[]> {
  const labels = domain.split(".");
  const zones = labels.slice(0, -1).map((_, index) => labels.slice(index).join("."));
  for (const zone of zones) {
    const names = await ask(resolve, zone, "NS", { signal }).catch((cause) => {
      signal.throwIfAborted();
      throw notFound(
        domain,
        `this machine's resolver, asked for the servers of ${zone}: ${cause.message}`,
        cause,
      );
    });
    if (names.length === 0) continue;
    const found = names.slice(0, MAX_SERVERS).map((name) => addressOf(name, resolve, signal));
    const servers = (await Promise.all(found)).flat();
    if (servers.length === 0) throw notFound(domain, `no name server of ${zone} has an address`);
    return servers;
  }
  throw notFound(domain, `there is no NS record at ${zones.join(", ")}`);
}

const notFound = (domain: string, why: string, cause?: unknown) =>
  new AgentError("ACME", `The DNS servers of ${domain} can't be found: ${why}.`, {
    hint:
      "Does the domain exist, and does this machine's resolver answer? Else let ACME_DNS_SERVERS " +
      "name the servers.",
    cause,
  });

async function addressOf(
  nameServer: string,
  resolve: Resolve,
  signal: AbortSignal,
): Promise<NamedServer[]> {
  const name = nameServer.replace(/\.$/, "");
  for (const type of ["A", "AAAA"] as const) {
    // One that can't be asked for its address is left out, unless it is the only one.
    const [ipAddr] = await ask(resolve, name, type, { signal }).catch(() => []);
    signal.throwIfAborted();
    if (ipAddr !== undefined) return [{ name: `${name} (${ipAddr})`, ipAddr, port: DNS_PORT }];
  }
  return [];
}
