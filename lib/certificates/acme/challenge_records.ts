/** The TXT records of a challenge: there while they are needed, removed whatever happens. */
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import { pause } from "../../pause.ts";
import type { DnsZone, TxtRecord } from "./dns_provider.ts";

/** Milliseconds for the removal of an order's records, of its own: the order's signal may have aborted. */
const REMOVAL_MS = 60_000;
/** Milliseconds before each try but the first. */
const RETRIES = [1_000, 3_000];
/** A cancelled call has to answer within a second (GRACE_MS of lib/rpc); the removal goes on behind it. */
const ANSWER_MS = 700;
/** Milliseconds until an addition that nobody answered has either come about or never will. */
const LATE_MS = 2_000;
/** No order takes that long: what is older was left by one that could not tidy up. */
const STALE_MS = 60 * 60 * 1000;

export interface ChallengeRecords {
  /**
   * Adds the records, does the work, and removes them in every outcome.
   *
   * @throws {AgentError} what the provider or the work throws; `details.records_left` names what could not be removed
   */
  during<T>(
    zone: DnsZone,
    name: string,
    values: readonly string[],
    signal: AbortSignal,
    work: () => Promise<T>,
  ): Promise<T>;
  /** Resolves when no removal goes on. */
  removed(): Promise<void>;
}

interface Challenged extends TxtRecord {
  readonly id?: string;
  /** Whether it was added is not known. */
  readonly unanswered?: boolean;
}

export function openChallengeRecords(): ChallengeRecords {
  const removals = new Set<Promise<unknown>>();

  /** @returns the names that could not be removed */
  async function removeAll(zone: DnsZone, records: readonly Challenged[]): Promise<string[]> {
    const signal = AbortSignal.timeout(REMOVAL_MS);
    const left = await Promise.all(records.map(async (record) => {
      try {
        await persistently(() => zone.removeTxt(record, signal), signal);
        if (record.unanswered) {
          await pause(LATE_MS, signal);
          await persistently(() => zone.removeTxt(record, signal), signal);
        }
        return [];
      } catch (cause) {
        const { message } = AgentError.from(cause);
        log.error(`The TXT record ${record.name} of the zone ${zone.name} is left: ${message}`);
        return [record.name];
      }
    }));
    return [...new Set(left.flat())];
  }

  return {
    async during(zone, name, values, signal, work) {
      await removeStale(zone, name, signal);
      let records: Challenged[] = values.map((value) => ({ name, value }));
      const tidyUp = () => {
        const removal = removeAll(zone, records).finally(() => removals.delete(removal));
        removals.add(removal);
        return removal;
      };
      let value;
      try {
        const adding = await Promise.allSettled(
          records.map((record) => zone.addTxt(record, signal)),
        );
        records = records.map((record, index) => {
          const added = adding[index];
          if (added.status === "fulfilled") return added.value;
          return { ...record, unanswered: !isAnswer(added.reason) };
        });
        const failed = adding.find(({ status }) => status === "rejected");
        if (failed?.status === "rejected") throw failed.reason;
        signal.throwIfAborted();
        value = await work();
      } catch (cause) {
        const left = await Promise.race([tidyUp(), answerSoon(signal)]);
        throw left.length > 0 ? withRecordsLeft(cause, left) : cause;
      }
      await Promise.race([tidyUp(), answerSoon(signal)]);
      return value;
    },
    async removed() {
      await Promise.allSettled(removals);
    },
  };
}

const isAnswer = (cause: unknown) =>
  cause instanceof AgentError && cause.details?.status !== undefined;

/** A moment after the abort, whenever that comes. */
async function answerSoon(signal: AbortSignal): Promise<string[]> {
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  }
  await pause(ANSWER_MS);
  return [];
}

/** What an earlier order left. That it can't be removed does not stop this one. */
async function removeStale(zone: DnsZone, name: string, signal: AbortSignal): Promise<void> {
  try {
    await zone.removeStaleTxt(name, new Date(Date.now() - STALE_MS), signal);
  } catch (cause) {
    signal.throwIfAborted();
    log.warning(`Old TXT records ${name} were not removed: ${AgentError.from(cause).message}`);
  }
}

async function persistently(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (const ms of RETRIES) {
    try {
      return await work();
    } catch {
      await pause(ms, signal);
    }
  }
  await work();
}

function withRecordsLeft(cause: unknown, left: readonly string[]): AgentError {
  const { code, message, hint, details } = AgentError.from(cause);
  return new AgentError(code, message, {
    hint: `${hint ? `${hint} ` : ""}Remove the TXT record ${left.join(", ")} by hand.`,
    details: { ...details, records_left: left },
    cause,
  });
}
