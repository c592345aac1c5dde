/** What a tool asks of the transaction, and what it gets. */
import type { StatRow } from "../runtime/parse.ts";
import type { Scope } from "../reconcile/running.ts";
import type { Change, Desired } from "../state/model.ts";

/** Refuses a change for what HAProxy reports of a pool. */
export interface Guard {
  readonly pool: string;
  /** @param rows the pool's servers as `show stat` has them; throws REFUSED */
  check(rows: readonly StatRow[]): void;
}

export interface Plan<Result> {
  /** Every key and slot that the call is about: those that are already right are looked at in HAProxy, too. */
  readonly changes: readonly Change[];
  readonly result: Result;
  readonly guard?: Guard;
}

export interface ChangeRequest<Result> {
  readonly tool: string;
  /** Checks everything, changes nothing, answers what would change. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** Pure. Throws AgentError for what can't be. May be called again on a newer state. */
  plan(desired: Desired): Plan<Result>;
}

/** What a dry run would do. */
export interface Preview {
  readonly files: readonly { readonly file: string; readonly lines: readonly string[] }[];
  readonly commands: readonly string[];
}

export interface Outcome<Result> {
  readonly result: Result;
  /** Lines of files that went (-) and came (+): `domains.map: + example.com pool_5`. */
  readonly changed: readonly string[];
  readonly preview?: Preview;
}

/** The keys and pools that changes touch. */
export function scopeOf(changes: readonly Change[]): Scope {
  return {
    keys: new Set(changes.flatMap((change) => change.kind === "map" ? [change.key] : [])),
    pools: new Set(changes.flatMap((change) => change.kind === "server" ? [change.pool] : [])),
  };
}
