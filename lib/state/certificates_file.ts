/**
 * certificates.json: `{"domains": ["example.com"], "certificates": {…}}`; the second key is optional. The domains are
 * those whose certificate HAProxy shall serve; what is known of each stands under its name.
 */
import * as z from "zod";
import { ACME_CLIENTS, type AcmeClientName } from "../config/acme.ts";
import { AgentError } from "../errors.ts";
import { parseDomain } from "../names/domain.ts";
import { type Corrupt, object, parseJson } from "./json.ts";

/** When the CA wants the certificate renewed (RFC 9773, 4.2), and the moment that was drawn from it. Times are ISO 8601 UTC. */
export interface RenewalWindow {
  /** SHA-256 of the certificate that this is about. */
  readonly certificate: string;
  readonly start: string;
  readonly end: string;
  /** 0 to 1: where in the window it is renewed, drawn once. */
  readonly pick: number;
  readonly askAgainAt: string;
  readonly explanationUrl?: string;
}

/** How the last order ended. */
export interface OrderResult {
  /** ISO 8601 UTC. */
  readonly at: string;
  /** `OK`, or the error's code. */
  readonly code: string;
  readonly message?: string;
}

export interface CertificateRecord {
  /** Who orders it; `none`: a person has put it there, and nobody renews it. */
  readonly client: AcmeClientName | "none";
  readonly names: readonly string[];
  /** URL of the CA's directory. */
  readonly ca?: string;
  /** SHA-256 of the certificate that was ordered, hexadecimal. Another one in its file was put there by a person. */
  readonly ordered?: string;
  readonly window?: RenewalWindow;
  readonly last?: OrderResult;
  /** Orders that failed in a row. */
  readonly failures?: number;
  /** Not before this, ISO 8601 UTC. */
  readonly nextTry?: string;
}

export interface CertificatesFile {
  /** In the one spelling of each, in the file's order, each once. */
  readonly domains: readonly string[];
  /** By domain. One may be missing: the original wrote none. */
  readonly records: ReadonlyMap<string, CertificateRecord>;
}

const time = z.iso.datetime();
export const recordJson = z.strictObject({
  client: z.enum([...ACME_CLIENTS, "none"]),
  names: z.array(z.string()),
  ca: z.string().optional(),
  ordered: z.string().optional(),
  window: z.strictObject({
    certificate: z.string(),
    start: time,
    end: time,
    pick: z.number().min(0).max(1),
    ask_again_at: time,
    explanation_url: z.string().optional(),
  }).optional(),
  last: z.strictObject({ at: time, code: z.string(), message: z.string().optional() }).optional(),
  failures: z.int().min(1).optional(),
  next_try: time.optional(),
});

/** Throws STATE_CORRUPT with file and place. */
export function parseCertificatesFile(text: string, path: string): CertificatesFile {
  const corrupt: Corrupt = (place, what) =>
    new AgentError("STATE_CORRUPT", `${path}, ${place}: ${what}.`, {
      hint: "Correct the file by hand, or put back a good copy. Nothing was changed.",
    });
  const { domains = [], certificates = {}, ...unknown } = object(
    parseJson(text, corrupt),
    "the whole",
    corrupt,
  );
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) {
    throw corrupt("the whole", `${JSON.stringify(extra)} is not known here`);
  }
  if (!Array.isArray(domains)) throw corrupt("domains", "a list is expected");
  const entries = Object.entries(object(certificates, "certificates", corrupt));
  return {
    domains: [...new Set(domains.map((name, i) => domain(name, `domains[${i}]`, corrupt)))],
    records: new Map(entries.map(([name, value]) => {
      const place = `certificates[${JSON.stringify(name).slice(0, 300)}]`;
      return [domain(name, place, corrupt), record(value, place, corrupt)];
    })),
  };
}

function record(value: unknown, place: string, corrupt: Corrupt): CertificateRecord {
  const parsed = recordJson.safeParse(value);
  if (parsed.success) return recordFromJson(parsed.data);
  const { path, message } = parsed.error.issues[0];
  throw corrupt([place, ...path.map(String)].join("."), message);
}

export function recordFromJson(
  { window, next_try, ...same }: z.output<typeof recordJson>,
): CertificateRecord {
  return {
    ...same,
    ...(window && {
      window: {
        certificate: window.certificate,
        start: window.start,
        end: window.end,
        pick: window.pick,
        askAgainAt: window.ask_again_at,
        ...(window.explanation_url !== undefined && { explanationUrl: window.explanation_url }),
      },
    }),
    ...(next_try !== undefined && { nextTry: next_try }),
  };
}

export function recordToJson(
  { names, window, nextTry, ...same }: CertificateRecord,
): z.output<typeof recordJson> {
  return {
    ...same,
    names: [...names],
    ...(window && {
      window: {
        certificate: window.certificate,
        start: window.start,
        end: window.end,
        pick: window.pick,
        ask_again_at: window.askAgainAt,
        ...(window.explanationUrl !== undefined && { explanation_url: window.explanationUrl }),
      },
    }),
    ...(nextTry !== undefined && { next_try: nextTry }),
  };
}

export function renderCertificatesFile({ domains, records }: CertificatesFile): string {
  const certificates = Object.fromEntries(
    Array.from(records, ([domain, record]) => [domain, recordToJson(record)]),
  );
  return `${JSON.stringify({ domains, certificates }, null, 2)}\n`;
}

/**
 * The same with another record.
 *
 * @param record undefined: none, or the one that is there
 * @param serve the domain is one of those to be served
 */
export function withRecord(
  { domains, records }: CertificatesFile,
  domain: string,
  record: CertificateRecord | undefined,
  serve: boolean,
): CertificatesFile {
  return {
    domains: serve && !domains.includes(domain) ? [...domains, domain] : domains,
    records: record === undefined ? records : new Map([...records, [domain, record]]),
  };
}

export function withoutDomain(
  { domains, records }: CertificatesFile,
  domain: string,
): CertificatesFile {
  return {
    domains: domains.filter((name) => name !== domain),
    records: new Map([...records].filter(([name]) => name !== domain)),
  };
}

function domain(value: unknown, place: string, corrupt: Corrupt): string {
  if (typeof value !== "string") {
    throw corrupt(place, `${JSON.stringify(value)?.slice(0, 200)} is not a domain`);
  }
  try {
    const { name, wildcard } = parseDomain(value);
    if (!wildcard) return name;
  } catch (cause) {
    throw corrupt(place, AgentError.from(cause).message.replace(/\.$/, ""));
  }
  throw corrupt(place, `${JSON.stringify(value)} is a wildcard, which its domain's file covers`);
}
