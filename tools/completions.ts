/** What a person who types an argument may mean: domains, backends, slots. */
import { domainOfKey, parseDomain } from "../lib/names/domain.ts";
import type { CompletionQuestion, Completions } from "../lib/resource_definition.ts";
import type { Desired } from "../lib/state/model.ts";
import type { ToolContext } from "./context.ts";

/** The specification's limit. */
const MAX_VALUES = 100;
/** Of a hundred thousand domains nobody needs the exact number. */
const MAX_COUNTED = 1_000;

export async function complete(
  question: CompletionQuestion,
  { transactions, shape }: ToolContext,
): Promise<Completions> {
  const { argument, value, given } = question;
  return await transactions.read((desired) => {
    switch (argument) {
      case "domain":
        return page(domains(desired, value.toLowerCase()));
      case "backend":
        return page(startingWith(value, poolNames(desired)));
      case "slot":
        return page(startingWith(value, slots(desired, given.domain, shape.maxSlots)));
      default:
        return page([]);
    }
  });
}

function page(found: Iterable<string>): Completions {
  const values = [...Iterator.from(found).take(MAX_COUNTED + 1)];
  return {
    values: values.slice(0, MAX_VALUES),
    total: Math.min(values.length, MAX_COUNTED),
    hasMore: values.length > MAX_VALUES,
  };
}

const startingWith = (value: string, names: readonly string[]) =>
  names.filter((name) => name.startsWith(value));

/** By the beginning of the name; of a hundred thousand only those are looked at that begin so. */
function* domains(desired: Desired, typed: string): Iterable<string> {
  const wildcards = typed.startsWith("*");
  const value = typed.replace(/^\*?\.?/, "");
  for (const key of desired.keys(value === "" ? undefined : before(value))) {
    const name = key.replace(/^\./, "");
    if (name < value) continue;
    if (!name.startsWith(value)) return;
    if (!wildcards || key.startsWith(".")) yield domainOfKey(key);
  }
}

/** A key right before all that begin with `value`. */
const before = (value: string) =>
  value.slice(0, -1) + String.fromCharCode(value.charCodeAt(value.length - 1) - 1) + "~";

const poolNames = (desired: Desired) =>
  [...desired.backends()].sort((a, b) => numberIn(a) - numberIn(b) || (a < b ? -1 : 1));

const numberIn = (name: string) => Number(/\d+$/.exec(name)?.[0] ?? Infinity);

/** Those of the domain that hold a server; without a domain all that there are. */
function slots(desired: Desired, domain: string | undefined, maxSlots: number): string[] {
  const pool = domain === undefined ? undefined : poolOf(desired, domain);
  const taken = pool === undefined
    ? Array.from({ length: maxSlots }, (_, i) => i + 1)
    : [...desired.slotsOf(pool).keys()].sort((a, b) => a - b);
  return taken.map(String);
}

function poolOf(desired: Desired, domain: string): string | undefined {
  try {
    return desired.backendOf(parseDomain(domain).key);
  } catch {
    return undefined;
  }
}
