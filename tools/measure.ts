/** Figures for /metrics and /readyz. */
import { daysLeft } from "../lib/certificates/renewal_time.ts";
import { AgentError } from "../lib/errors.ts";
import type { Measured } from "../lib/measured.ts";
import { countKinds } from "../lib/reconcile/subject.ts";
import type { ToolContext } from "./context.ts";

export async function measure(context: ToolContext, signal: AbortSignal): Promise<Measured> {
  const { transactions, issuer, runtime } = context;
  const [sync, counts, entries] = await Promise.all([
    differences(context, signal),
    transactions.read((desired) => ({
      domains: desired.keyCount,
      servers: Iterator.from(desired.pools()).reduce((sum, [, slots]) => sum + slots.size, 0),
    })).catch(() => ({ domains: 0, servers: 0 })),
    issuer.inventory.all({ askHaproxy: false }).catch(() => []),
  ]);
  const now = new Date();
  return {
    haproxy: { up: sync !== "down", ...runtime.statistics },
    ...(typeof sync === "object" && { sync }),
    ...counts,
    certificates: entries.filter(({ lines, wanted }) => wanted || lines.length > 0)
      .map(({ name, known, record }) => ({
        domain: name,
        days: known ? daysLeft(known.certificate.notAfter, now) : null,
        failures: record?.failures ?? 0,
      })),
  };
}

/** down: HAProxy does not answer; unknown: the files can't be read, say. */
async function differences({ transactions }: ToolContext, signal: AbortSignal) {
  try {
    const { differences, problems } = await transactions.drift(signal);
    return { ...countKinds(differences), problems: problems.length };
  } catch (cause) {
    return AgentError.from(cause).code === "HAPROXY_UNREACHABLE" ? "down" : "unknown";
  }
}
