/** What the certificate tools have in common: how a certificate is named, described and put into words. */
import * as z from "zod";
import { daysLeft, seconds } from "../lib/certificates/renewal_time.ts";
import { AgentError } from "../lib/errors.ts";
import type { Due } from "../lib/issuance/due.ts";
import { type InventoryEntry, isManaged } from "../lib/issuance/inventory.ts";
import { parseDomain } from "../lib/names/domain.ts";
import type { ToolContext } from "./context.ts";

/** NAME_MAX of Linux' file systems. */
const MAX_FILE_NAME = 255;

/** A domain that has, or is to have, a certificate. Throws VALIDATION for a wildcard: its certificate is its domain's. */
export function parseCertificateDomain(typed: string): string {
  const { name, wildcard } = parseName(typed);
  if (name.length > MAX_FILE_NAME - ".pem".length) {
    throw new AgentError("VALIDATION", `${name} is too long for a file's name.`, {
      hint: `A domain with a certificate has ${MAX_FILE_NAME - 4} characters at most.`,
    });
  }
  if (!wildcard) return name;
  throw new AgentError("VALIDATION", `${name} has no certificate of its own.`, {
    hint: `It is in its domain's: haproxy_issue_cert domain=${name.slice(2)} wildcard=true.`,
  });
}

function parseName(typed: string) {
  try {
    return parseDomain(typed);
  } catch (cause) {
    throw new AgentError("VALIDATION", AgentError.from(cause).message, {
      hint: "Give a host name such as www.example.com.",
    });
  }
}

/** As {@linkcode parseCertificateDomain}, or the name of a file in certs/ that belongs to no domain, such as default. */
export function parseCertificateName(typed: string): string {
  return /^[A-Za-z0-9_-]{1,63}$/.test(typed) ? typed : parseCertificateDomain(typed);
}

export const certificateEntry = z.object({
  domain: z.string().describe("Or the name of a file that belongs to no domain, such as default."),
  file: z.string(),
  names: z.array(z.string()),
  issuer: z.string(),
  not_after: z.string().describe("ISO 8601 UTC; empty where the file can't be used."),
  days_left: z.int().nullable().describe("Negative: it has expired."),
  loaded: z.boolean().nullable()
    .describe("HAProxy serves just this one; null: HAProxy does not answer."),
  renewal_due: z.boolean(),
  renewal_at: z.string().describe("ISO 8601 UTC; empty where nobody renews it."),
  renewed_by: z.enum(["builtin", "acme.sh", "none"]),
  last_result: z.object({ at: z.string(), code: z.string(), message: z.string() }).nullable()
    .describe("Of the last order; code OK, or the error's."),
  next_try: z.string().describe("After a failed renewal: not before this; else empty."),
  problem: z.string().describe("Why it can't be served; empty: nothing is known against it."),
});
export type CertificateEntry = z.output<typeof certificateEntry>;

/** All that is known of one certificate. */
export const certificateDetails = certificateEntry.extend({
  subject: z.string(),
  serial: z.string().describe("Hexadecimal."),
  not_before: z.string(),
  key_type: z.string(),
  fingerprint_sha1: z.string(),
  fingerprint_sha256: z.string(),
  chain: z.array(z.object({ subject: z.string(), issuer: z.string(), not_after: z.string() })),
  warnings: z.array(z.string()),
  crt_list: z.array(z.string()).describe("The names that its lines of the crt-list are for."),
  running: z.object({
    serial: z.string(),
    not_after: z.string(),
    names: z.array(z.string()),
    fingerprint_sha1: z.string(),
    chain: z.int().describe("Certificates behind it."),
  }).nullable().describe("What HAProxy has under its name; null: nothing, or it does not answer."),
});

export function entryOf(
  { issuer }: Pick<ToolContext, "issuer">,
  entry: InventoryEntry,
  due: Due | undefined,
): CertificateEntry {
  const { name, file, known, problem = "", loaded, record } = entry;
  const managed = isManaged(entry);
  return {
    domain: name,
    file,
    names: [...known?.certificate.names ?? record?.names ?? []],
    issuer: known?.certificate.issuer ?? "",
    not_after: known?.certificate.notAfter ?? "",
    days_left: known ? daysLeft(known.certificate.notAfter, new Date()) : null,
    loaded,
    renewal_due: managed && (due === undefined || due.now),
    renewal_at: managed && due ? seconds(due.at) : "",
    renewed_by: managed ? issuer.source.client : "none",
    last_result: record?.last ? { message: "", ...record.last } : null,
    next_try: record?.nextTry ?? "",
    problem,
  };
}

export function detailsOf(
  context: Pick<ToolContext, "issuer">,
  entry: InventoryEntry,
  due: Due | undefined,
): z.output<typeof certificateDetails> {
  const { known, running, lines } = entry;
  const certificate = known?.certificate;
  return {
    ...entryOf(context, entry, due),
    subject: certificate?.subject ?? "",
    serial: certificate?.serial ?? "",
    not_before: certificate?.notBefore ?? "",
    key_type: certificate?.keyType ?? "",
    fingerprint_sha1: certificate?.sha1 ?? "",
    fingerprint_sha256: certificate?.sha256 ?? "",
    chain: (known?.chain ?? []).map(({ subject, issuer, notAfter }) => ({
      subject,
      issuer,
      not_after: notAfter,
    })),
    warnings: [...known?.warnings ?? []],
    crt_list: lines.flatMap(({ filters }) => filters),
    running: running
      ? {
        serial: running.serial ?? "",
        not_after: running.notAfter ? seconds(new Date(running.notAfter)) : "",
        names: [...running.names],
        fingerprint_sha1: running.fingerprint ?? "",
        chain: running.chain,
      }
      : null,
  };
}

/** `• example.com: until 2027-02-21 (88 days), issuer CN=R12, example.com *.example.com; loaded`. */
export function certificateLine(entry: CertificateEntry): string {
  const { names, issuer, not_after, days_left, problem } = entry;
  // A file's name may hold anything.
  const domain = entry.domain.replaceAll(/\p{Cc}/gu, "?");
  if (not_after === "") return `• ${domain}: ${problem || "no certificate"}`;
  const shown = names.slice(0, 5).join(" ") +
    (names.length > 5 ? ` and ${names.length - 5} more` : "");
  return `• ${domain}: ${
    [
      `${untilText(not_after, days_left!)}, issuer ${issuer || "not named"}, ${shown}`,
      ...standing(entry),
    ]
      .join("; ")
  }`;
}

export function untilText(notAfter: string, days: number): string {
  if (days < 0) return `EXPIRED on ${notAfter.slice(0, 10)}`;
  return `until ${notAfter.slice(0, 10)} (${days} ${days === 1 ? "day" : "days"})`;
}

function standing(entry: CertificateEntry): string[] {
  const { loaded, renewal_due, renewal_at, last_result, next_try, problem } = entry;
  return [
    loaded === null ? "HAProxy was not seen" : loaded ? "loaded" : "not loaded",
    ...(renewal_due
      ? ["renewal is due"]
      : renewal_at === ""
      ? []
      : [`renewal on ${renewal_at.slice(0, 10)}`]),
    ...(last_result && last_result.code !== "OK"
      ? [`the last renewal failed at ${last_result.at}: ${last_result.message}`]
      : []),
    ...(next_try === "" ? [] : [`next try after ${next_try}`]),
    ...(problem === "" ? [] : [problem]),
  ];
}
