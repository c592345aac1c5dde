/** When a certificate is to be renewed: the CA's own word (RFC 9773) where it has one, else a share of its lifetime. */
import { isAhead, isDue, renewalTime, seconds } from "../certificates/renewal_time.ts";
import type { RenewalInfo } from "../certificates/acme/acts.ts";
import type { CertificateInfo } from "../certificates/x509.ts";
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import type { RenewalWindow } from "../state/certificates_file.ts";
import type { CertificateChanges } from "../transaction/certificates/change.ts";
import { type InventoryEntry, isManaged } from "./inventory.ts";
import type { CertificateSource } from "./source.ts";

export interface Due {
  readonly now: boolean;
  readonly at: Date;
  /** A clause. */
  readonly reason: string;
  /** The ARI identifier that a new order names, where it goes to the CA that issued this one. */
  readonly replaces?: string;
}

/**
 * @param window what the CA said last; one about another certificate is passed over
 * @param sameCa the next order goes to the CA that issued this one
 */
export function dueOf(
  certificate: CertificateInfo,
  window?: RenewalWindow,
  sameCa = false,
): Due {
  const fitting = window?.certificate === certificate.sha256 ? window : undefined;
  const at = renewalTime(certificate, fitting, fitting?.pick);
  const now = isDue(at, new Date());
  const by = fitting
    ? `the CA asks for it between ${fitting.start} and ${fitting.end}`
    : `it is valid until ${certificate.notAfter}`;
  return {
    now,
    at,
    reason: now ? `due since ${seconds(at)}: ${by}` : `not due before ${seconds(at)}: ${by}`,
    ...(fitting && sameCa && certificate.ariId && { replaces: certificate.ariId }),
  };
}

/** So long the CA is not asked again after a question that failed or found nothing. */
const ASK_AGAIN_MS = 6 * 60 * 60_000;

export interface WindowParts {
  readonly source: CertificateSource;
  readonly changes: Pick<CertificateChanges, "note">;
  readonly signal: AbortSignal;
  /** When a certificate, by its SHA-256, may be asked about again; kept by the caller. */
  readonly silentUntil: Map<string, number>;
}

/**
 * Asks the CA about those certificates that it issued and may be asked about again, and keeps the answers in
 * certificates.json. Answers the new windows by domain. A CA that does not answer is logged: the lifetime decides then.
 */
export async function refreshWindows(
  entries: readonly InventoryEntry[],
  { source, changes, signal, silentUntil }: WindowParts,
): Promise<ReadonlyMap<string, RenewalWindow>> {
  const asked = entries.filter((entry) => mayAsk(entry, source.directory, silentUntil));
  const fresh = new Map<string, RenewalWindow>();
  if (asked.length === 0) return fresh;
  const answers = await source.renewalInfo(
    asked.map(({ known }) => known!.certificate.ariId!),
    signal,
  ).catch((cause) => {
    if (signal.aborted) throw cause;
    const error = AgentError.from(cause);
    return new Map(asked.map(({ known }) => [known!.certificate.ariId!, error]));
  });
  for (const { name, known, record } of asked) {
    const { sha256, ariId } = known!.certificate;
    const info = answers.get(ariId!);
    if (!info || info instanceof AgentError) {
      silentUntil.set(sha256, Date.now() + ASK_AGAIN_MS);
      if (info) log.warning(`When to renew ${name} is decided by its age: ${info.message}`);
      continue;
    }
    const window = windowOf(sha256, info, record?.window);
    fresh.set(name, window);
    await changes.note(name, (known) => known && { ...known, window })
      .catch((cause) => log.warning(AgentError.from(cause).message));
  }
  return fresh;
}

/** The moment stays where it is while the CA's word does: else it would move with every look. */
function windowOf(
  certificate: string,
  info: RenewalInfo,
  before: RenewalWindow | undefined,
): RenewalWindow {
  const [start, end, askAgainAt] = [info.start, info.end, info.askAgainAt]
    .map((time) => seconds(new Date(time)));
  const same = before?.certificate === certificate && before.start === start &&
    before.end === end;
  const pick = same ? before.pick : Math.round(Math.random() * 1e6) / 1e6;
  return { ...info, certificate, start, end, askAgainAt, pick };
}

function mayAsk(
  entry: InventoryEntry,
  directory: string,
  silentUntil: ReadonlyMap<string, number>,
): boolean {
  const { known, record } = entry;
  if (!known?.certificate.ariId || !isManaged(entry) || record?.ca !== directory) return false;
  const { sha256 } = known.certificate;
  const now = Date.now();
  if (isAhead(silentUntil.get(sha256) ?? 0, now)) return false;
  const { window } = record;
  return window?.certificate !== sha256 || !isAhead(Date.parse(window.askAgainAt), now);
}
