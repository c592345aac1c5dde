/**
 * Issuing and renewing: order, check, deploy. One order at a time, in this process and in any other, under a lock of its
 * own; HAProxy and the files are locked only for the moment of the deployment.
 */
import { AgentError } from "../errors.ts";
import { isAhead, nextTry, seconds } from "../certificates/renewal_time.ts";
import { log } from "../log.ts";
import { unlessAborted } from "../pause.ts";
import type { RenewalWindow } from "../state/certificates_file.ts";
import type { Lock } from "../state/lock.ts";
import type { CertificateChanges } from "../transaction/certificates/change.ts";
import type { Preview } from "../transaction/request.ts";
import { waitingWith } from "../transaction/waiting.ts";
import { type Due, dueOf, refreshWindows } from "./due.ts";
import type { Inventory, InventoryEntry } from "./inventory.ts";
import { namesOf, orders, type OrdersParts } from "./orders.ts";
import { isAsGood, isHeld, keepsWildcard, renewable } from "./rules.ts";
import type { CertificateSource, OrderContext } from "./source.ts";

export interface IssueRequest {
  readonly tool: string;
  readonly domain: string;
  readonly wildcard: boolean;
}

export interface RenewRequest {
  readonly tool: string;
  readonly domain: string;
  /** Also where it is not due. */
  readonly force: boolean;
  /** By itself: waits longer after each failure, and keeps in certificates.json how it ended. @default {false} */
  readonly automatic?: boolean;
}

export interface Renewal {
  readonly renewed: boolean;
  /** A clause: why it was renewed, or why not. */
  readonly reason: string;
  /** With `rehearse`, where it would be renewed. */
  readonly preview?: Preview;
}

export interface Issuer {
  readonly source: CertificateSource;
  readonly inventory: Inventory;
  /** False: there is one already that is as good. Throws ACME, CERTIFICATE, … with nothing changed. */
  issue(request: IssueRequest, context: OrderContext): Promise<boolean>;
  /** Throws NOT_FOUND, REFUSED for one that a person put there, ACME, CERTIFICATE, …; the old one is served on then. */
  renew(request: RenewRequest, context: OrderContext): Promise<Renewal>;
  /** What `issue` would do; without a preview where it would order nothing. Asks the DNS provider, orders nothing. */
  rehearseIssue(
    request: IssueRequest,
    signal: AbortSignal,
  ): Promise<
    { readonly names: readonly string[]; readonly zone?: string; readonly preview?: Preview }
  >;
  /** Forgets what is kept of a domain beside its certificate; the names of what had something. */
  forget(domain: string): Promise<readonly string[]>;
  /** What `renew` would do; a preview where it would renew. Asks the DNS provider, orders nothing. */
  rehearse(request: RenewRequest, signal: AbortSignal): Promise<Renewal>;
  /** When each is due, after asking the CA where that is due itself. */
  due(entries: readonly InventoryEntry[], signal: AbortSignal): Promise<ReadonlyMap<string, Due>>;
  /** The same without asking anybody. */
  dueByWhatIsKnown(entries: readonly InventoryEntry[]): ReadonlyMap<string, Due>;
  /** Waits for what runs, cancelled, to clean up behind itself. */
  close(): Promise<void>;
}

export interface IssuerParts extends OrdersParts {
  readonly inventory: Inventory;
  readonly changes: Pick<CertificateChanges, "put" | "note" | "rehearse">;
  readonly lock: Lock;
}

export function issuer(parts: IssuerParts): Issuer {
  const { source, inventory, changes, lock } = parts;
  const { orderAndDeploy, forget } = orders(parts);
  const running = new Set<Promise<unknown>>();
  const silentUntil = new Map<string, number>();
  const closing = new AbortController();

  /** The caller's abort is answered at once; the order behind it ends in its own time, and removes what it made. */
  function inTurn<T>(
    context: OrderContext,
    act: (context: OrderContext) => Promise<T>,
  ): Promise<T> {
    const signal = AbortSignal.any([context.signal, closing.signal]);
    const work = waitingWith(signal, lock.hold, () => act({ ...context, signal }));
    running.add(work);
    work.catch(() => {}).finally(() => running.delete(work));
    return unlessAborted(work, signal);
  }

  async function issue(request: IssueRequest, context: OrderContext): Promise<boolean> {
    const { tool, domain } = request;
    const entry = await inventory.one(domain, context);
    const wildcard = keepsWildcard(request, entry);
    const names = namesOf(domain, wildcard);
    if (entry && isAsGood(entry, names)) return false;
    // What keeps it from being deployed is better known before the order than after it.
    await changes.rehearse(domain, names);
    await orderAndDeploy({ tool, domain, wildcard }, { context, fresh: false });
    return true;
  }

  async function renew(request: RenewRequest, context: OrderContext): Promise<Renewal> {
    const { domain, automatic } = request;
    const entry = await inventory.one(domain, context);
    const nextTry = entry?.record?.nextTry;
    if (automatic && nextTry !== undefined && isAhead(Date.parse(nextTry), Date.now())) {
      return { renewed: false, reason: `it failed, and is tried again after ${nextTry}` };
    }
    try {
      return await renewEntry(request, entry, context);
    } catch (cause) {
      if (automatic && !context.signal.aborted) await noteFailure(domain, AgentError.from(cause));
      throw cause;
    }
  }

  async function renewEntry(
    { tool, domain, force, automatic = false }: RenewRequest,
    entry: InventoryEntry | undefined,
    context: OrderContext,
  ): Promise<Renewal> {
    const { wildcard } = renewable(entry, domain, automatic);
    // A file that can't be read is due: there is nothing to wait for.
    const due = (await dueOfAll([entry!], context.signal)).get(domain);
    if (due && !due.now && !force) return { renewed: false, reason: due.reason };
    await changes.rehearse(domain, namesOf(domain, wildcard));
    const replaces = due?.replaces;
    await orderAndDeploy(
      { tool, domain, wildcard, ...(replaces && { replaces }) },
      { context, fresh: force },
    );
    const reason = due === undefined ? "its file could not be used" : due.reason;
    return { renewed: true, reason: due && !due.now ? "it was forced" : reason };
  }

  async function noteFailure(domain: string, { code, message, details }: AgentError) {
    // Another agent is at it.
    if (isHeld(details)) return;
    const at = seconds(new Date());
    const retryAfter = typeof details?.retry_after === "string"
      ? new Date(details.retry_after)
      : undefined;
    await changes.note(domain, (record) => {
      const failures = (record?.failures ?? 0) + 1;
      return {
        client: source.client,
        names: [],
        ...record,
        last: { at, code, message },
        failures,
        nextTry: seconds(nextTry(failures, new Date(at), retryAfter)),
      };
    }).catch((cause) => log.error(AgentError.from(cause).message));
  }

  function dueByWhatIsKnown(
    entries: readonly InventoryEntry[],
    windows: ReadonlyMap<string, RenewalWindow> = new Map(),
  ): ReadonlyMap<string, Due> {
    return new Map(entries.flatMap(({ name, known, record }) => {
      if (!known) return [];
      const window = windows.get(name) ?? record?.window;
      return [[name, dueOf(known.certificate, window, source.directory === record?.ca)] as const];
    }));
  }

  const dueOfAll = async (entries: readonly InventoryEntry[], signal: AbortSignal) =>
    dueByWhatIsKnown(
      entries,
      await refreshWindows(entries, { source, changes, signal, silentUntil }),
    );

  async function rehearse(
    { domain, force }: RenewRequest,
    signal: AbortSignal,
  ): Promise<Renewal> {
    const entry = await inventory.one(domain, { signal });
    const { wildcard } = renewable(entry, domain, false);
    const due = dueByWhatIsKnown([entry!]).get(domain);
    const reason = due?.reason ?? "its file could not be used";
    if (due && !due.now && !force) return { renewed: false, reason };
    await source.check(domain, signal);
    const preview = await changes.rehearse(domain, namesOf(domain, wildcard));
    return { renewed: false, reason: due && !due.now ? "it is forced" : reason, preview };
  }

  async function rehearseIssue(request: IssueRequest, signal: AbortSignal) {
    const { domain } = request;
    const entry = await inventory.one(domain, { signal });
    const names = namesOf(domain, keepsWildcard(request, entry));
    if (entry && isAsGood(entry, names)) return { names };
    const preview = await changes.rehearse(domain, names);
    const { zone } = await source.check(domain, signal);
    return { names, zone, preview };
  }

  return {
    source,
    inventory,
    rehearseIssue,
    forget,
    issue: (request, context) => inTurn(context, (inner) => issue(request, inner)),
    renew: (request, context) => inTurn(context, (inner) => renew(request, inner)),
    rehearse,
    due: dueOfAll,
    dueByWhatIsKnown: (entries) => dueByWhatIsKnown(entries),
    async close() {
      closing.abort(new AgentError("CANCELLED", "haproxy-mcp stops."));
      await Promise.allSettled(running);
      lock.close();
    },
  };
}
