/** Figures for /metrics and /readyz. */
import { daysLeft } from "../lib/certificates/renewal_time.ts";
import { AgentError } from "../lib/errors.ts";
import type { Measured } from "../lib/measured.ts";
import { readProcess } from "../lib/reconcile/processes.ts";
import { countKinds } from "../lib/reconcile/subject.ts";
import type { ToolContext } from "./context.ts";

export async function measure(context: ToolContext, signal: AbortSignal): Promise<Measured> {
  const { transactions, issuer, runtime } = context;
  const [{ up, sync }, counts, entries] = await Promise.all([
    compare(context, signal),
    transactions.read((desired) => ({
      domains: desired.keyCount,
      servers: Iterator.from(desired.pools()).reduce((sum, [, slots]) => sum + slots.size, 0),
    })).catch(() => undefined),
    issuer.inventory.all({ askHaproxy: false }).catch(() => []),
  ]);
  const now = new Date();
  return {
    haproxy: { up, ...runtime.statistics },
    ...(sync && { sync }),
    ...counts,
    certificates: entries.filter(({ lines, wanted }) => wanted || lines.length > 0)
      .map(({ name, known, record }) => ({
        domain: name,
        days: known ? daysLeft(known.certificate.notAfter, now) : null,
        failures: record?.failures ?? 0,
      })),
  };
}

/** Whether HAProxy answers, and what differs between it and disk where both can be read. */
async function compare(
  { transactions, runtime }: ToolContext,
  signal: AbortSignal,
): Promise<{ readonly up: boolean; readonly sync?: Measured["sync"] }> {
  try {
    const { differences, problems } = await transactions.drift(signal);
    return { up: true, sync: { ...countKinds(differences), problems: problems.length } };
  } catch (cause) {
    if (AgentError.from(cause).code === "HAPROXY_UNREACHABLE") return { up: false };
    // The files, perhaps, which says nothing of HAProxy.
    return { up: await readProcess(runtime).then(() => true, () => false) };
  }
}
