/** What crosses between the acme room and its neighbours, as data. */
import type { Logging } from "../../config.ts";
import type { Looked } from "../../looked.ts";
import type { Progress } from "../../rpc/mod.ts";

/** The room's settings: secrets are in clear here, and go nowhere but to the CA and the DNS provider. */
export interface AcmeRoomSettings {
  /** URL of the CA's directory. */
  readonly directory: string;
  readonly email?: string;
  /** A private CA's root, PEM. */
  readonly caPem?: string;
  readonly eab?: { readonly kid: string; readonly hmacKey: string };
  readonly cloudflare: {
    readonly token?: string;
    readonly accountId?: string;
    readonly zoneId?: string;
    readonly api: string;
  };
  /** Seconds that the challenge's record may take to appear; 0: not looked for. */
  readonly dnsWait: number;
}

/** The account at the CA; whoever orders keeps it. */
export interface AcmeAccountKey {
  /** Private key, PKCS #8 as PEM. */
  readonly key: string;
  /** The account's URL, as the CA named it. */
  readonly url: string;
}

export interface AcmeOrderRequest {
  /** `example.com`, and perhaps `*.example.com`: one domain and its wildcard. */
  readonly domain: string;
  readonly wildcard: boolean;
  readonly account: AcmeAccountKey;
  /** The certificate that this one takes the place of, by its ARI identifier (RFC 9773, 4.1 and 5). */
  readonly replaces?: string;
}

export interface AcmeOrdered {
  /** The certificate's private key, ECDSA P-256, PKCS #8 as PEM. */
  readonly key: string;
  /** Certificate and chain, PEM, as the CA gave them. */
  readonly certificates: string;
}

/** When the CA wants a certificate renewed (RFC 9773, 4.2). Times are ISO 8601 UTC. */
export interface RenewalInfo {
  readonly start: string;
  readonly end: string;
  readonly explanationUrl?: string;
  /** When to ask again. */
  readonly askAgainAt: string;
}

/** What a look at the CA and the DNS provider finds. */
export interface AcmeLook {
  readonly ca: Looked<{
    /** The CA's clock by its Date header, minus ours: milliseconds. */
    readonly clockAhead?: number;
  }>;
  /** The zones of the domains; none where no domain was named. */
  readonly dns: Looked<{ readonly zones: readonly string[] }>;
}

/** What the tools room may ask of the acme room. All throw ACME, TIMEOUT or CANCELLED; none leaves a TXT record. */
export interface AcmeActs {
  /** The account of this key; without one a new account. Throws ACME where the CA wants EAB and there is none. */
  account(existing: AcmeAccountKey | undefined): Promise<AcmeAccountKey>;
  /** Proves the domain by DNS-01 and fetches the certificate. Reports progress. */
  order(
    request: AcmeOrderRequest,
    context?: { progress(progress: Progress): void },
  ): Promise<AcmeOrdered>;
  /**
   * The DNS provider takes the token, and has the domain's zone; the CA answers, and has what it wants for an account.
   *
   * @param registered there is an account
   */
  check(
    args: { readonly domain: string; readonly registered: boolean },
  ): Promise<{ readonly zone: string }>;
  /** As `check`, of several domains or none, and never throws for what is wrong: that is the answer. Asks each once. */
  look(
    args: { readonly domains: readonly string[]; readonly registered: boolean },
  ): Promise<AcmeLook>;
  /** null where the CA has no renewal information, in general or of this certificate. */
  renewalInfo(args: { readonly id: string }): Promise<RenewalInfo | null>;
}

/** One of the zone's servers, and the values of the challenge's TXT record there. */
export interface ChallengeSeen {
  readonly server: string;
  readonly values: readonly string[];
  /** Why it could not be asked. */
  readonly problem?: string;
}

/** What the acme room may ask of main: it reaches no DNS server itself. */
export interface AcmeHostActs {
  /** Asks every server of the zone for the TXT record `_acme-challenge.DOMAIN`. Throws ACME where no server is found. */
  lookUpChallenge(args: { readonly domain: string }): Promise<readonly ChallengeSeen[]>;
}

/** Opens the room's ear: callers reach it by the port. */
export interface StartAcmeRoom {
  readonly settings: AcmeRoomSettings;
  readonly logging: Logging;
  readonly port: MessagePort;
}
