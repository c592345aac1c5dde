/** A look at the CA's directory and at the DNS provider's token, before anybody orders anything. */
import { look } from "../../looked.ts";
import { checkBinding } from "./account.ts";
import type { AcmeLook, AcmeRoomSettings } from "./acts.ts";
import type { Client } from "./client.ts";
import type { DnsProvider } from "./dns_provider.ts";

export interface LookParts {
  readonly client: Client;
  readonly dns: DnsProvider;
  readonly settings: Pick<AcmeRoomSettings, "directory" | "eab">;
}

/** See AcmeActs.look. */
export async function lookAround(
  { client, dns, settings }: LookParts,
  { domains, registered }: { readonly domains: readonly string[]; readonly registered: boolean },
  signal: AbortSignal,
): Promise<AcmeLook> {
  async function askCa() {
    const step = { doing: "show its directory", signal };
    const { headers } = await client.get(settings.directory, step);
    const clockAhead = Date.parse(headers.get("Date") ?? "") - Date.now();
    await checkBinding(client, settings, registered, signal);
    return Number.isNaN(clockAhead) ? {} : { clockAhead };
  }

  async function askDns() {
    const zones = new Set<string>();
    if (domains.length === 0) await dns.tryToken(signal);
    for (const domain of domains) zones.add((await dns.zoneOf(domain, signal)).name);
    return { zones: [...zones] };
  }

  const [ca, zones] = await Promise.all([look(askCa), look(askDns)]);
  return { ca, dns: zones };
}
