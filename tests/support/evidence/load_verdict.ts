/** What became of a load's requests: failures are set beside HAProxy's log, and those told apart that are HAProxy's own. */
import type { LoadKind } from "../load.ts";
import type { Failure } from "../load/tally.ts";

/** In milliseconds of the epoch: from the call to its answer. */
export interface Reload {
  readonly from: number;
  readonly until: number;
}

export interface LoadSeen {
  readonly answered: number;
  readonly failures: readonly Failure[];
  readonly reloads: readonly Reload[];
  /** HAProxy's traffic log; a request is found in it by its path. */
  readonly log: string;
}

export interface LoadVerdict {
  readonly requests: number;
  /** A line each, with what HAProxy's log has of it. */
  readonly failed: readonly string[];
  /** The same for failures that are HAProxy's own, whoever reloads it. */
  readonly explained: readonly string[];
}

export function judgeLoad(kind: LoadKind, { answered, failures, ...seen }: LoadSeen): LoadVerdict {
  const own = failures.filter((failure) => isHaproxysOwn(kind, failure, seen));
  const others = failures.filter((failure) => !own.includes(failure));
  const describe = (failure: Failure) => describeFailure(kind, failure, seen.log);
  return {
    requests: answered + failures.length,
    failed: others.map(describe),
    explained: own.map(describe),
  };
}

/** A handshake of HTTP/3 that a reload meets gets no answer: no request was ever sent, and HAProxy logs none. */
function isHaproxysOwn(
  kind: LoadKind,
  { path, began, unsent }: Failure,
  { reloads, log }: Pick<LoadSeen, "reloads" | "log">,
): boolean {
  return kind.startsWith("h3") && unsent && linesOf(path, log).length === 0 &&
    reloads.some(({ from, until }) => from <= began && began <= until);
}

function describeFailure(kind: LoadKind, failure: Failure, log: string): string {
  const { path, reason, began, ended } = failure;
  const [from, until] = [began, ended!].map((ms) => new Date(ms).toISOString().slice(11, 23));
  const lines = linesOf(path, log);
  return `${kind} ${path} ${from} to ${until}: ${reason}; HAProxy's log: ` +
    (lines.length === 0 ? "nothing" : lines.join(" | "));
}

function linesOf(path: string, log: string): string[] {
  // HTTP/2 and HTTP/3 are logged with the whole URI.
  return log.split("\n").filter((line) => line.includes(`${path} HTTP/`));
}
