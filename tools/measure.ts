/** Figures for /metrics and /readyz. */
import { daysLeft } from "../lib/certificates/renewal_time.ts";
import { AgentError } from "../lib/errors.ts";
import type { Measured } from "../lib/measured.ts";
import { readProcess } from "../lib/reconcile/processes.ts";
import { countKinds } from "../lib/reconcile/subject.ts";
import type { ToolContext } from "./context.ts";

/** Scrapers wait ten seconds as a rule: what disk says is told in time, whatever HAProxy does. */
const ANSWER_MS = 2_000;
const COMPARE_MS = 5_000;

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
  const up = await readProcess(runtime, { signal, deadlineMs: ANSWER_MS })
    .then(() => true, () => false);
  if (!up) return { up };
  try {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(COMPARE_MS)]);
    const { differences, problems } = await transactions.drift(inTime);
    return { up, sync: { ...countKinds(differences), problems: problems.length } };
  } catch (cause) {
    // The files can't be read, or HAProxy has fallen silent since.
    return { up: AgentError.from(cause).code !== "HAPROXY_UNREACHABLE" };
  }
}
