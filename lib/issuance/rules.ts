/** What may be ordered in the place of a certificate, and when it need not be. Pure. */
import { AgentError } from "../errors.ts";
import { dueOf } from "./due.ts";
import { type InventoryEntry, isManaged } from "./inventory.ts";

/** With `_acme-challenge.` before it, it has to be a domain yet (RFC 1035: 253 characters). */
const MAX_PROVED = 253 - "_acme-challenge.".length;

/** The lock's error alone names who holds it. */
export const isHeld = (details: AgentError["details"]): boolean => details?.holder !== undefined;

/** The names that it has or had, by whatever knows them. */
function namesNow({ known, record, lines }: InventoryEntry): readonly string[] {
  if (known) return known.certificate.names;
  if (record && record.names.length > 0) return record.names;
  return lines.flatMap(({ filters }) => filters).filter((name) => !name.startsWith("!"));
}

/**
 * Whether the new certificate has the wildcard: where it is asked for, and where the one that it takes the place of has it.
 * Throws REFUSED where other names would be lost.
 */
export function keepsWildcard(
  { domain, wildcard }: { readonly domain: string; readonly wildcard: boolean },
  entry: InventoryEntry | undefined,
): boolean {
  if (domain.length > MAX_PROVED) {
    throw new AgentError("VALIDATION", `${domain} is too long to be proved by a TXT record.`, {
      hint: `It has ${domain.length} characters, of at most ${MAX_PROVED}.`,
    });
  }
  const now = entry ? namesNow(entry) : [];
  const lost = now.filter((name) => name !== domain && name !== `*.${domain}`);
  if (lost.length === 0) return wildcard || now.includes(`*.${domain}`);
  throw new AgentError(
    "REFUSED",
    `${domain}'s certificate is for ${
      lost.slice(0, 5).join(", ")
    } as well: a new one would lose them.`,
    {
      hint:
        "haproxy_delete_cert first, where that is meant. Or put a new one for all its names into its file, and haproxy_load_cert.",
    },
  );
}

export const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name) => b.includes(name));

/** It is served, of a client of ours, for these names, and not due: another order would only use up the CA's limits. */
export function isAsGood(
  { known, loaded, record }: InventoryEntry,
  names: readonly string[],
): boolean {
  return known !== undefined && loaded === true && record !== undefined &&
    record.client !== "none" && record.ordered === known.certificate.sha256 &&
    sameNames(known.certificate.names, names) && !dueOf(known.certificate, record.window).now;
}

/** Throws NOT_FOUND, or REFUSED where it is not ours to renew. */
export function renewable(
  entry: InventoryEntry | undefined,
  domain: string,
  automatic: boolean,
): { readonly wildcard: boolean } {
  if (entry === undefined) {
    throw new AgentError("NOT_FOUND", `There is no certificate of ${domain}.`, {
      hint: "haproxy_issue_cert orders one; haproxy_list_certs shows which there are.",
    });
  }
  const names = namesNow(entry);
  const others = names.filter((name) => name !== domain && name !== `*.${domain}`);
  const why = !isManaged(entry)
    ? "it was put there by a person, and nobody knows where it came from"
    : others.length > 0
    ? `it is for ${others.slice(0, 5).join(", ")} as well, which can't be ordered together`
    : names.length === 0
    ? `nothing tells for which names: ${entry.problem ?? "its file can't be used"}`
    // A person may be writing it just now.
    : automatic && entry.known === undefined
    ? `its file can't be used: ${entry.problem ?? "it can't be read"}`
    : undefined;
  if (why === undefined) return { wildcard: names.includes(`*.${domain}`) };
  throw new AgentError(
    "REFUSED",
    `${domain}'s certificate can't be renewed here: ${why.replace(/\.$/, "")}.`,
    {
      hint:
        "haproxy_issue_cert orders a new one in its place; haproxy_load_cert takes one that you put into the folder.",
    },
  );
}
