/** Request rate and share of errors over the last 15 minutes: sampled with healing's looks, so that nobody else polls. */
import { AgentError } from "../lib/errors.ts";
import { log } from "../lib/log.ts";
import { GAP_MS, SAMPLE_MS, TRAFFIC_MS, type TrafficSample } from "../lib/overview.ts";
import { showFrontendStat } from "../lib/runtime/commands.ts";
import type { Conversation } from "../lib/runtime/connection.ts";
import { parseStat, type StatRow } from "../lib/runtime/parse.ts";
import type { HaproxyProcess } from "../lib/runtime/process.ts";
import { texts } from "../lib/runtime/replies.ts";
import { count } from "./monitoring.ts";

export interface Traffic {
  /** Takes a sample where it is time for one. Never throws: a sample that fails is a gap. */
  ask(talk: Conversation, process: Pick<HaproxyProcess, "key" | "stopping">): Promise<void>;
  /** The oldest first. */
  samples(): readonly TrafficSample[];
}

/** A frontend's counters; they begin at 0 with each process. */
interface Counters {
  readonly requests: number;
  readonly answers: number;
  readonly errors: number;
}

interface Reading {
  readonly process: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly frontends: ReadonlyMap<string, Counters>;
}

/** Looks come each second, and a little later than that. */
const EARLY_MS = SAMPLE_MS / 10;
const ANSWERS = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];

/** @param now milliseconds since 1970 */
export function watchTraffic(now: () => number = Date.now): Traffic {
  let samples: readonly TrafficSample[] = [];
  let before: Reading | undefined;
  return {
    async ask(talk, { key, stopping }) {
      const due = before === undefined || Math.abs(now() - before.at) >= SAMPLE_MS - EARLY_MS;
      if (!due || stopping) return;
      try {
        const look = [showFrontendStat()];
        const [text] = texts(look, await talk.exchange(look));
        const after = { process: key, at: now(), frontends: countersIn(parseStat(text)) };
        const sample = before && sampleBetween(before, after);
        before = after;
        samples = [...samples, ...sample ? [sample] : []]
          .filter(({ at }) => at > after.at - TRAFFIC_MS && at <= after.at);
      } catch (cause) {
        log.debug(`The traffic was not sampled: ${AgentError.from(cause).message}`);
      }
    },
    samples: () => samples,
  };
}

function countersIn(rows: readonly StatRow[]): Map<string, Counters> {
  return new Map(rows.map((row) => [row.pxname, {
    requests: count(row, "req_tot"),
    answers: ANSWERS.reduce((sum, column) => sum + count(row, column), 0),
    errors: count(row, "hrsp_5xx"),
  }]));
}

/** Undefined where too much, or no, time lies between the two. */
export function sampleBetween(before: Reading, after: Reading): TrafficSample | undefined {
  const ms = after.at - before.at;
  if (ms <= 0 || ms > GAP_MS) return undefined;
  let requests = 0, answers = 0, errors = 0;
  for (const [name, now] of after.frontends) {
    const known = before.process === after.process ? before.frontends.get(name) : undefined;
    // `clear counters` takes them back to 0 within a process.
    const since = (which: keyof Counters) =>
      known && now[which] >= known[which] ? now[which] - known[which] : now[which];
    requests += since("requests");
    answers += since("answers");
    errors += since("errors");
  }
  return {
    at: after.at,
    requests: requests * 1000 / ms,
    errors: answers > 0 ? errors / answers : 0,
  };
}
