/** One order: from the CA, or from the last try's remains, checked and deployed. */
import { join } from "node:path";
import { sha256 } from "../bytes.ts";
import { seconds } from "../certificates/renewal_time.ts";
import { assemblePem, checkPem, type UsablePem } from "../certificates/check.ts";
import type { Files } from "../config.ts";
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import type { RootFiles } from "../sandbox/files.ts";
import type { CertificateRecord } from "../state/certificates_file.ts";
import type { CertificateChanges } from "../transaction/certificates/change.ts";
import { dueOf } from "./due.ts";
import { sameNames } from "./rules.ts";
import type { CertificateSource, Order, OrderContext } from "./source.ts";

/** The order may have been worth a rate limit: where only the deployment failed, the certificate is kept for the next try. */
const WORTH_KEEPING = new Set([
  "HAPROXY_UNREACHABLE",
  "HAPROXY_REJECTED",
  "CONFLICT",
  "TIMEOUT",
  "STATE_IO",
]);

export const namesOf = (domain: string, wildcard: boolean): string[] =>
  wildcard ? [domain, `*.${domain}`] : [domain];

export interface OrdersParts {
  readonly files: RootFiles;
  readonly paths: Pick<Files, "acmeFolder">;
  readonly source: CertificateSource;
  readonly changes: Pick<CertificateChanges, "put">;
}

/** Orders and deploys. Throws ACME, CERTIFICATE, … with nothing changed. */
export function orders(parts: OrdersParts) {
  const { files, paths, source, changes } = parts;

  /** By a digest: a long domain makes no file's name with anything beside it. */
  const keptFile = (domain: string) =>
    join(paths.acmeFolder, `kept-${sha256(domain).slice(0, 16)}.json`);

  /** @param fresh whatever is kept is passed over: its key may be the reason for this order */
  async function orderAndDeploy(
    { tool, ...order }: Order & { readonly tool: string },
    { context, fresh }: { readonly context: OrderContext; readonly fresh: boolean },
  ): Promise<void> {
    const { domain, wildcard } = order;
    const names = namesOf(domain, wildcard);
    const kept = fresh ? undefined : await readKept(domain, names);
    const pem = kept ?? await obtain(order, names, context);
    const record: CertificateRecord = {
      client: source.client,
      names: pem.certificate.names,
      ca: source.directory,
      ordered: pem.certificate.sha256,
      last: { at: seconds(new Date()), code: "OK" },
    };
    try {
      // Not cancelled any more: the certificate is there, and putting it in place takes a moment.
      const signal = new AbortController().signal;
      await changes.put({ tool, domain, pem, record, complete: true, dryRun: false, signal });
    } catch (cause) {
      const { code, message, hint, details } = AgentError.from(cause);
      if (!WORTH_KEEPING.has(code)) throw cause;
      await keep(domain, pem);
      throw new AgentError(code, message, {
        hint: `${
          hint ?? ""
        } The certificate that was ordered is kept: the next call takes it, and orders no other.`
          .trim(),
        details,
        cause,
      });
    }
    await files.remove(keptFile(domain)).catch((cause) =>
      log.warning(AgentError.from(cause).message)
    );
  }

  async function obtain(
    order: Order,
    names: readonly string[],
    context: OrderContext,
  ): Promise<UsablePem> {
    const { domain } = order;
    const { key, certificates } = await source.order(order, context);
    const pem = await assemblePem(key, certificates, { file: `${domain}.pem`, domain });
    const missing = names.filter((name) => !pem.certificate.names.includes(name));
    if (missing.length === 0) return pem;
    throw new AgentError("ACME", `The CA's certificate lacks ${missing.join(" and ")}.`, {
      hint: "Nothing was changed.",
    });
  }

  async function keep(domain: string, { text }: UsablePem): Promise<void> {
    const { directory } = source;
    await files.makeFolder(paths.acmeFolder)
      .then(() =>
        files.replace(keptFile(domain), JSON.stringify({ domain, directory, pem: text }), {
          always: 0o600,
        })
      )
      .catch((cause) => log.warning(AgentError.from(cause).message));
  }

  /** One that could not be deployed the last time, where it is still what is wanted. */
  async function readKept(
    domain: string,
    names: readonly string[],
  ): Promise<UsablePem | undefined> {
    const file = keptFile(domain);
    try {
      const kept = JSON.parse(await files.read(file) ?? "null");
      if (kept?.domain !== domain || kept.directory !== source.directory) return undefined;
      const pem = await checkPem(String(kept.pem), { file, domain });
      if (dueOf(pem.certificate).now) return undefined;
      return sameNames(pem.certificate.names, names) ? pem : undefined;
    } catch {
      return undefined;
    }
  }

  return {
    orderAndDeploy,
    /** What is kept for a next try, and what acme.sh knows. */
    async forget(domain: string): Promise<readonly string[]> {
      await files.remove(keptFile(domain));
      return await source.forget(domain) ? ["acme.sh"] : [];
    },
  };
}
