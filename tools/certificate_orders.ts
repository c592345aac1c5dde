/** Certificates from the CA: a new one, one renewed, all that are due. */
import * as z from "zod";
import { AgentError } from "../lib/errors.ts";
import { isManaged } from "../lib/issuance/inventory.ts";
import {
  certificateDetails,
  certificateLine,
  parseCertificateDomain,
} from "./certificate_fields.ts";
import { details } from "./certificates.ts";
import type { ToolContext } from "./context.ts";
import { answer, certificateDomain, dryRun, flag, wouldChange } from "./fields.ts";
import { CHANGES, PUTS, tool } from "./tool.ts";

/** The CA and the DNS provider take their time: longer than an order's own limit. */
const ORDER_MS = 20 * 60_000;
/** Of many, one after the other. */
const ALL_MS = 2 * 60 * 60_000;

/** It speaks to the CA and the DNS provider. */
const OPEN_WORLD = { openWorldHint: true };

export const issueCert = tool({
  name: "haproxy_issue_cert",
  title: "Issue a certificate",
  description:
    "Orders a certificate from the CA (ACME, proved by a TXT record at Cloudflare) and lets HAProxy serve it, with no " +
    "reload; with wildcard=true also for *.DOMAIN. A wildcard that the certificate before had is kept. serve renews it " +
    "from then on. Takes up to a few minutes. Orders nothing where HAProxy serves one that is as good.",
  group: "certificates",
  hints: { ...PUTS, ...OPEN_WORLD },
  deadlineMs: ORDER_MS,
  input: z.strictObject({
    domain: certificateDomain(),
    wildcard: flag(false).describe("Also for every name right under the domain."),
    ...dryRun,
  }),
  output: certificateDetails.extend({
    issued: z.boolean().describe("False: there was one already, or it is a dry run."),
    ...wouldChange,
  }),
  async run({ domain: typed, wildcard, dry_run }, context, { signal, progress }) {
    const domain = parseCertificateDomain(typed);
    const tool = "haproxy_issue_cert";
    if (dry_run) return await rehearse(context, { domain, wildcard }, signal);
    const issued = await context.issuer.issue({ tool, domain, wildcard }, { signal, progress });
    const certificate = await details(context, domain, signal);
    const what = issued
      ? `${domain} has a new certificate.`
      : `${domain} has a certificate that is good: nothing was ordered. haproxy_renew_cert with force=true orders one.`;
    return {
      text: `${what}\n${certificateLine(certificate)}`,
      structured: { ...certificate, issued },
    };
  },
});

async function rehearse(
  context: ToolContext,
  { domain, wildcard }: { readonly domain: string; readonly wildcard: boolean },
  signal: AbortSignal,
) {
  const { issuer } = context;
  const request = { tool: "haproxy_issue_cert", domain, wildcard };
  const { names, zone, preview } = await issuer.rehearseIssue(request, signal);
  const ca = new URL(issuer.source.directory).host;
  const { text, structured } = answer(
    preview
      ? `a certificate for ${names.join(", ")} from ${ca}, by a TXT record in the zone ${zone}.`
      : `${domain} has a certificate that is good.`,
    { ...EMPTY, domain, names: [...names], issued: false },
    preview ?? { files: [], commands: [] },
  );
  const before = await context.issuer.inventory.one(domain, { signal });
  if (before === undefined) return { text, structured };
  const certificate = await details(context, domain, signal);
  return { text, structured: { ...structured, ...certificate } };
}

/** Of a certificate that is not there yet. */
const EMPTY: z.output<typeof certificateDetails> = {
  domain: "",
  file: "",
  names: [],
  issuer: "",
  not_after: "",
  days_left: null,
  loaded: false,
  renewal_due: false,
  renewal_at: "",
  renewed_by: "none",
  last_result: null,
  next_try: "",
  problem: "",
  subject: "",
  serial: "",
  not_before: "",
  key_type: "",
  fingerprint_sha1: "",
  fingerprint_sha256: "",
  chain: [],
  warnings: [],
  crt_list: [],
  running: null,
};

export const renewCert = tool({
  name: "haproxy_renew_cert",
  title: "Renew a certificate",
  description:
    "Renews a domain's certificate when it is due (when the CA says so, else after two thirds of its life), or at once " +
    "with force=true. New connections get the new one, with no reload; open ones live on. serve does this by itself.",
  group: "certificates",
  hints: { ...CHANGES, ...OPEN_WORLD },
  deadlineMs: ORDER_MS,
  input: z.strictObject({
    domain: certificateDomain(),
    force: flag(false).describe("Also where it is not due. CAs limit how often."),
    ...dryRun,
  }),
  output: z.object({
    renewed: z.boolean(),
    reason: z.string(),
    certificate: certificateDetails,
    ...wouldChange,
  }),
  async run({ domain: typed, force, dry_run }, context, { signal, progress }) {
    const domain = parseCertificateDomain(typed);
    const { issuer } = context;
    const request = { tool: "haproxy_renew_cert", domain, force };
    const { renewed, reason, preview } = dry_run
      ? await issuer.rehearse(request, signal)
      : await issuer.renew(request, { signal, progress });
    const certificate = await details(context, domain, signal);
    const done = renewed || preview
      ? `${domain}'s certificate is renewed: ${reason}.`
      : `${domain}'s certificate stays: it is ${reason}.`;
    return answer(
      preview ? done : `${done}\n${certificateLine(certificate)}`,
      { renewed, reason, certificate },
      dry_run ? preview ?? { files: [], commands: [] } : undefined,
    );
  },
});

const outcome = z.object({ domain: z.string(), reason: z.string() });

export const renewAllCerts = tool({
  name: "haproxy_renew_all_certs",
  title: "Renew all certificates that are due",
  description:
    "Renews every certificate that is due, one after the other; one that fails stops none of the others and is still " +
    "served as it was. serve does this by itself.",
  group: "certificates",
  hints: { ...CHANGES, ...OPEN_WORLD },
  deadlineMs: ALL_MS,
  input: z.strictObject({ ...dryRun }),
  output: z.object({
    renewed: z.array(outcome),
    skipped: z.array(outcome),
    failed: z.array(outcome.extend({ code: z.string() })),
  }),
  async run({ dry_run }, context, { signal, progress }) {
    const { issuer } = context;
    const managed = (await issuer.inventory.all({ askHaproxy: false, signal })).filter(isManaged);
    const renewed: z.output<typeof outcome>[] = [];
    const skipped: z.output<typeof outcome>[] = [];
    const failed: (z.output<typeof outcome> & { code: string })[] = [];
    for (const [i, { name: domain }] of managed.entries()) {
      signal.throwIfAborted();
      progress({ progress: i, total: managed.length, message: domain });
      const request = { tool: "haproxy_renew_all_certs", domain, force: false };
      try {
        const result = dry_run
          ? await issuer.rehearse(request, signal)
          : await issuer.renew(request, { signal, progress() {} });
        const { reason } = result;
        (result.renewed || result.preview ? renewed : skipped).push({ domain, reason });
      } catch (cause) {
        const { code, message } = AgentError.from(cause);
        if (signal.aborted) throw cause;
        failed.push({ domain, code, reason: message });
      }
    }
    const lines = [
      ...renewed.map(({ domain, reason }) => `renewed  ${domain}: ${reason}`),
      ...failed.map(({ domain, reason }) => `FAILED   ${domain}: ${reason}`),
      ...skipped.map(({ domain, reason }) => `skipped  ${domain}: ${reason}`),
    ];
    const summary =
      `${renewed.length} renewed, ${skipped.length} skipped, ${failed.length} failed.`;
    return {
      text: [dry_run ? `Dry run, nothing was changed. It would be: ${summary}` : summary, ...lines]
        .join("\n"),
      structured: { renewed, skipped, failed },
    };
  },
});
