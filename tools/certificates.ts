/** Certificates: which there are, what one is, one from a file into HAProxy, one out of it. */
import * as z from "zod";
import { checkPem } from "../lib/certificates/check.ts";
import { MAX_PEM } from "../lib/certificates/pem.ts";
import { AgentError } from "../lib/errors.ts";
import { pemFile } from "../lib/transaction/certificates/disk.ts";
import {
  certificateDetails,
  certificateEntry,
  certificateLine,
  detailsOf,
  entryOf,
  parseCertificateDomain,
  parseCertificateName,
} from "./certificate_fields.ts";
import type { ToolContext } from "./context.ts";
import { answer, certificateDomain, confirm, dryRun, wouldChange } from "./fields.ts";
import { CHANGES, PUTS, READS, tool } from "./tool.ts";

export const listCerts = tool({
  name: "haproxy_list_certs",
  title: "List certificates",
  description:
    "Lists every certificate in certs/, in the crt-list or in certificates.json: names, issuer, days left, whether " +
    "HAProxy serves it, when it is renewed. One that a person dropped into certs/ shows as not loaded.",
  group: "certificates",
  hints: READS,
  input: z.strictObject({}),
  output: z.object({ certificates: z.array(certificateEntry), count: z.int() }),
  async run(_, context, { signal }) {
    const entries = await context.issuer.inventory.all({ signal });
    const due = context.issuer.dueByWhatIsKnown(entries);
    const certificates = entries.map((entry) => entryOf(context, entry, due.get(entry.name)));
    return {
      text: certificates.length === 0
        ? "There are no certificates."
        : certificates.map(certificateLine).join("\n"),
      structured: { certificates, count: certificates.length },
    };
  },
});

export const certInfo = tool({
  name: "haproxy_cert_info",
  title: "Show a certificate",
  description:
    "One certificate in detail: names, issuer, validity, serial, key type, fingerprints, chain, what HAProxy serves " +
    "under its name, and when it is renewed.",
  group: "certificates",
  hints: READS,
  input: z.strictObject({ domain: certificateDomain() }),
  output: certificateDetails,
  async run({ domain }, context, { signal }) {
    const structured = await details(context, parseCertificateName(domain), signal);
    return { text: detailsText(structured), structured };
  },
});

/** Throws NOT_FOUND. */
export async function details(context: ToolContext, name: string, signal: AbortSignal) {
  const entry = await context.issuer.inventory.one(name, { signal });
  if (entry) {
    return detailsOf(context, entry, context.issuer.dueByWhatIsKnown([entry]).get(entry.name));
  }
  throw new AgentError("NOT_FOUND", `There is no certificate of ${name}.`, {
    hint: "haproxy_list_certs shows which there are; haproxy_issue_cert orders one.",
  });
}

export function detailsText(certificate: z.output<typeof certificateDetails>): string {
  const { running, chain, warnings, fingerprint_sha1 } = certificate;
  const rows: readonly (readonly [string, string])[] = [
    ["subject", certificate.subject],
    ["serial", certificate.serial],
    ["key", certificate.key_type],
    ["valid", `${certificate.not_before} to ${certificate.not_after}`],
    ["SHA-1", fingerprint_sha1],
    ["SHA-256", certificate.fingerprint_sha256],
    ["chain", chain.map(({ subject }) => subject).join("; ") || "none"],
    ["file", certificate.file],
    [
      "HAProxy",
      certificate.loaded === null
        ? "was not seen"
        : running === null
        ? "has nothing under its name"
        : running.fingerprint_sha1 === fingerprint_sha1
        ? "has this one"
        : `has another one: serial ${running.serial}, until ${running.not_after}`,
    ],
    ["crt-list", certificate.crt_list.join(" ") || "no names of its own"],
  ];
  return [
    certificateLine(certificate),
    ...certificate.not_after === ""
      ? []
      : rows.map(([name, value]) => `  ${name.padEnd(8)}  ${value}`),
    ...warnings.map((warning) => `warning  ${warning}`),
  ].join("\n");
}

export const loadCert = tool({
  name: "haproxy_load_cert",
  title: "Load a certificate from its file",
  description:
    "Takes certs/DOMAIN.pem (private key, certificate, chain, in any order) into HAProxy, with no reload, and writes it " +
    "back in order. Refuses a pair that does not match, an expired certificate, a broken file, a wrong name: what " +
    "HAProxy served before is still served then.",
  group: "certificates",
  hints: PUTS,
  input: z.strictObject({ domain: certificateDomain(), ...dryRun }),
  output: z.object({
    loaded: z.boolean(),
    replaced: z.boolean().describe("HAProxy had one under this name before."),
    certificate: certificateDetails,
    ...wouldChange,
  }),
  async run({ domain: typed, dry_run }, context, { signal }) {
    const domain = parseCertificateDomain(typed);
    const file = pemFile(context.paths, domain);
    const text = await context.files.read(file, MAX_PEM);
    if (text === undefined) throw noFile(file);
    const pem = await checkPem(text, { file, domain });
    const { domains, records } = await context.transactions.certificates.known();
    const before = records.get(domain);
    const { names, sha256 } = pem.certificate;
    // Whoever ordered it goes on renewing it. Another one was put there by a person, who knows where the next comes from.
    const record = before?.ordered === sha256
      ? before
      : before === undefined && domains.includes(domain)
      ? undefined
      : { client: "none" as const, names };
    const modeBefore = await context.files.mode(file) ?? 0;
    const served = (await context.issuer.inventory.one(domain, { signal }))?.running?.names ?? [];
    const { replaced, preview } = await context.transactions.certificates.put({
      tool: "haproxy_load_cert",
      domain,
      pem,
      ...(record && { record }),
      complete: false,
      always: true,
      dryRun: dry_run,
      signal,
    });
    const certificate = await details(context, domain, signal);
    const mode = await context.files.mode(file) ?? 0;
    const narrowed = GROUP & modeBefore & ~mode
      ? [
        `${file} had mode ${octal(modeBefore)} and has ${
          octal(mode)
        } now: where HAProxy runs as another user than its ` +
        "owner, make the folder setgid to HAProxy's group.",
      ]
      : [];
    const lost = served.filter((name) => !names.includes(name.toLowerCase()));
    const lacking = lost.length > 0
      ? [`It is no longer for ${lost.slice(0, 10).join(", ")}, as the one before was.`]
      : [];
    const warnings = [...pem.warnings, ...narrowed, ...lacking].map((warning) =>
      `warning  ${warning}`
    );
    return answer(
      [`${domain}'s certificate is loaded, for ${names.join(", ")}.`, ...warnings].join("\n"),
      { loaded: !dry_run, replaced, certificate },
      preview,
    );
  },
});

const GROUP = 0o040;
const octal = (mode: number) => mode.toString(8).padStart(4, "0");

function noFile(file: string): AgentError {
  return new AgentError("NOT_FOUND", `There is no ${file}.`, {
    hint:
      "Put the private key, the certificate and its chain there, as PEM in one file, or let haproxy_issue_cert order one.",
  });
}

export const deleteCert = tool({
  name: "haproxy_delete_cert",
  title: "Delete a certificate",
  description:
    "Takes a domain's certificate out of HAProxy, with no reload, and off the disk: its file, its lines of the crt-list, " +
    "its entry of certificates.json, and acme.sh's record. HAProxy's default certificate is refused.",
  group: "certificates",
  hints: CHANGES,
  deadlineMs: 90_000,
  input: z.strictObject({ domain: certificateDomain(), ...confirm, ...dryRun }),
  output: z.object({
    domain: z.string(),
    deleted_from: z.array(z.string()).describe("HAProxy, acme.sh, and the files."),
    ...wouldChange,
  }),
  async run({ domain: typed, dry_run }, context, { signal }) {
    const domain = parseCertificateName(typed);
    const { deletedFrom, preview } = await context.transactions.certificates.remove({
      tool: "haproxy_delete_cert",
      domain,
      dryRun: dry_run,
      signal,
    });
    // Else it could come back. That it can't be forgotten does not undo what is done.
    const forgotten = dry_run || !domain.includes(".")
      ? { from: [], warnings: [] }
      : await context.issuer.forget(domain).then(
        (from) => ({ from, warnings: [] }),
        (cause) => ({ from: [], warnings: [`warning  ${AgentError.from(cause).message}`] }),
      );
    const deleted_from = [...deletedFrom, ...forgotten.from];
    return answer(
      [`${domain}'s certificate is deleted from ${deleted_from.join(", ")}.`, ...forgotten.warnings]
        .join("\n"),
      { domain, deleted_from },
      preview,
    );
  },
});
