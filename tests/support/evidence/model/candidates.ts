/** What the site may be after calls that were sent at once: in any order, and with those unanswered done or not. */
import type { Heard } from "./callers.ts";
import { type Call, type Circumstances, type Outcome, outcomeOf } from "./effects.ts";
import { keyOf, type SiteModel } from "./site_model.ts";

export interface Told {
  readonly call: Call;
  readonly heard: Heard;
  /** HAProxy was away while it was under way: then the call may be refused for that. */
  readonly disturbed: boolean;
  /** All pools may have been in use meanwhile. */
  readonly crowded: boolean;
}

export interface Doubts extends Omit<Circumstances, "given"> {
  /** What was seen of a domain whose adding nobody answered. */
  readonly poolSeen?: (key: string) => string | undefined;
}

/** Each of them different; none: no order explains the answers. */
export function candidates(
  model: SiteModel,
  told: readonly Told[],
  doubts: Doubts,
): SiteModel[] {
  const found = new Map<string, SiteModel>();
  for (const order of permutations(told)) {
    let models = [structuredClone(model)];
    for (const each of order) models = models.flatMap((before) => afters(before, each, doubts));
    for (const each of models) found.set(textOf(each), each);
  }
  return [...found.values()];
}

function afters(model: SiteModel, { call, heard, disturbed, crowded }: Told, doubts: Doubts) {
  const expected = expectedOf(model, call, heard, doubts);
  const done = (): SiteModel[] => {
    if ("code" in expected) return [];
    const after = structuredClone(model);
    expected.apply(after);
    return [after];
  };
  if ("unknown" in heard) return [model, ...done()];
  if ("done" in heard) return "says" in expected && isSaid(expected.says, heard.done) ? done() : [];
  const { refused } = heard;
  const isRight = ("code" in expected && expected.code === refused) ||
    (refused === "HAPROXY_UNREACHABLE" && disturbed) ||
    (refused === "CAPACITY" && crowded && call.tool === "add_domain");
  return isRight ? [model] : [];
}

function expectedOf(model: SiteModel, { tool, args }: Call, heard: Heard, doubts: Doubts): Outcome {
  const adding = tool === "add_domain" && !args.share_with;
  const given = !adding
    ? undefined
    : "done" in heard
    ? heard.done.pool as string
    : doubts.poolSeen?.(keyOf(args.domain));
  return outcomeOf(model, { tool, args }, { ...doubts, ...given !== undefined && { given } });
}

/** What the contract says is in the answer. */
const isSaid = (says: object, heard: object) =>
  Object.entries(says).every(([name, value]) =>
    textOf((heard as Record<string, unknown>)[name]) === textOf(value)
  );

/** True where both hold the same of these domains: their keys, their pools, their certificates. */
export function sameOf(
  domains: readonly string[],
  a: Pick<SiteModel, "map" | "pools">,
  b: Pick<SiteModel, "map" | "pools">,
): boolean {
  const keys = domains.flatMap((domain) => [domain, `.${domain}`]);
  return keys.every((key) => {
    const pool = a.map.get(key);
    return pool === b.map.get(key) &&
      (pool === undefined || textOf(a.pools.get(pool)) === textOf(b.pools.get(pool)));
  });
}

/** As JSON, objects and maps by their keys. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_, each) => {
    const entries = each instanceof Map
      ? [...each]
      : each !== null && typeof each === "object" && !Array.isArray(each)
      ? Object.entries(each)
      : undefined;
    if (entries === undefined) return each;
    return Object.fromEntries(entries.toSorted(([x], [y]) => `${x}` < `${y}` ? -1 : 1));
  }) ?? "undefined";
}

function* permutations<T>(list: readonly T[]): Generator<readonly T[]> {
  if (list.length <= 1) return yield list;
  for (let i = 0; i < list.length; i++) {
    const rest = list.filter((_, at) => at !== i);
    for (const others of permutations(rest)) yield [list[i], ...others];
  }
}

/** The pools that domains lead to, or that hold servers. */
export const usedPools = (model: SiteModel): number =>
  new Set([...model.map.values(), ...model.pools.keys()]).size;
