/** What a DNS provider has to do for DNS-01. Cloudflare is the first one. */

export interface DnsProvider {
  /**
   * The zone that holds the domain. Changes nothing.
   *
   * @throws {AgentError} ACME: no token, a refused one, no such zone; TIMEOUT; the signal's reason
   */
  zoneOf(domain: string, signal: AbortSignal): Promise<DnsZone>;
  /** Shows the token, and changes nothing. Throws as zoneOf does. */
  tryToken(signal: AbortSignal): Promise<void>;
}

/** All throw as zoneOf does. */
export interface DnsZone {
  readonly name: string;
  /** Where it throws the record may exist all the same. */
  addTxt(record: TxtRecord, signal: AbortSignal): Promise<AddedTxt>;
  /** Without an id it is looked for. One that is gone is removed. */
  removeTxt(record: TxtRecord & Partial<AddedTxt>, signal: AbortSignal): Promise<void>;
  /** Removes what the agent left at this name before that time. */
  removeStaleTxt(name: string, before: Date, signal: AbortSignal): Promise<void>;
}

export interface TxtRecord {
  /** No dot at the end. */
  readonly name: string;
  /** Without quotation marks. */
  readonly value: string;
}

export interface AddedTxt extends TxtRecord {
  readonly id: string;
}
