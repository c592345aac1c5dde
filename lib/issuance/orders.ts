/** One order: from the CA, or from the last try's remains, checked and deployed. */
import { join } from "node:path";
import { assemblePem, checkPem, type UsablePem } from "../certificates/check.ts";
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import type { CertificateRecord } from "../state/certificates_file.ts";
import { dueOf } from "./due.ts";
import type { IssuerParts } from "./mod.ts";
import type { Order, OrderContext } from "./source.ts";

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

export const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name) => b.includes(name));

/** Orders and deploys. Throws ACME, CERTIFICATE, … with nothing changed. */
export function orders(parts: Pick<IssuerParts, "files" | "paths" | "source" | "changes">) {
  const { files, paths, source, changes } = parts;

  async function orderAndDeploy(
    { tool, ...order }: Order & { readonly tool: string },
    context: OrderContext,
  ): Promise<void> {
    const { domain, wildcard } = order;
    const names = namesOf(domain, wildcard);
    const kept = join(paths.acmeFolder, `${domain}.pem`);
    const pem = await readKept(kept, names) ?? await obtain(order, names, context);
    const record: CertificateRecord = {
      client: source.client,
      names: pem.certificate.names,
      ca: source.directory,
      ordered: pem.certificate.sha256,
      last: { at: `${new Date().toISOString().slice(0, 19)}Z`, code: "OK" },
    };
    try {
      // Not cancelled any more: the certificate is there, and putting it in place takes a moment.
      const signal = new AbortController().signal;
      await changes.put({ tool, domain, pem, record, complete: true, dryRun: false, signal });
    } catch (cause) {
      if (WORTH_KEEPING.has(AgentError.from(cause).code)) await keep(kept, pem);
      throw cause;
    }
    await files.remove(kept).catch((cause) => log.warning(AgentError.from(cause).message));
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

  async function keep(file: string, pem: UsablePem): Promise<void> {
    await files.makeFolder(paths.acmeFolder)
      .then(() => files.replace(file, pem.text, { always: 0o600 }))
      .catch((cause) => log.warning(AgentError.from(cause).message));
  }

  /** One that could not be deployed the last time, where it is still what is wanted. */
  async function readKept(file: string, names: readonly string[]): Promise<UsablePem | undefined> {
    try {
      const text = await files.read(file);
      const pem = text === undefined ? undefined : await checkPem(text, { file });
      if (pem === undefined || dueOf(pem.certificate).now) return undefined;
      return sameNames(pem.certificate.names, names) ? pem : undefined;
    } catch {
      return undefined;
    }
  }

  return orderAndDeploy;
}
