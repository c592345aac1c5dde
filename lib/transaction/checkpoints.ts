/**
 * When the files follow the journal. A change that comes alone is in the files before its answer; under load the files
 * follow at most SPACING_MS later, as the journal alone makes a change durable.
 */
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import type { Change } from "../state/model.ts";
import type { PreparedCheckpoint, Store } from "../state/store.ts";

const SPACING_MS = 1_000;

/** A batch of changes on its way to disk: the journal has it. */
export interface Save {
  /** HAProxy has the changes, too. */
  finish(): Promise<void>;
  /** HAProxy refused, and memory has taken them back. */
  abandon(): Promise<void>;
}

export interface Checkpoints {
  /** Journals the entries, which memory already holds. Throws STATE_IO with nothing written. */
  begin(
    entries: readonly { readonly tool: string; readonly changes: readonly Change[] }[],
  ): Promise<Save>;
  /** Brings the files up to date, if they are not. Under the lock. */
  now(): Promise<void>;
  /** Ends the timer, after a last checkpoint where one is due. */
  close(): Promise<void>;
}

export function checkpoints(
  store: Store,
  locked: <T>(act: () => Promise<T>) => Promise<T>,
): Checkpoints {
  let lastAt = -Infinity;
  let failed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function later(): void {
    if (timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      locked(now).catch((cause) => failure(cause));
    }, Math.max(0, lastAt + SPACING_MS - performance.now()));
  }

  function failure(cause: unknown): void {
    // The journal holds everything. Until it works again, changes are staged before they are begun, so refused.
    failed = true;
    lastAt = performance.now();
    log.error(`The files could not be brought up to date: ${AgentError.from(cause).message}`);
    later();
  }

  async function commit(prepared: PreparedCheckpoint): Promise<void> {
    await prepared.commit();
    lastAt = performance.now();
    failed = false;
  }

  async function now(): Promise<void> {
    if (!store.dirty) return;
    await commit(await store.prepareCheckpoint());
  }

  return {
    async begin(entries) {
      const alone = failed || performance.now() - lastAt >= SPACING_MS;
      // Staged first: a full disk or a folder that can't be written shows before HAProxy hears anything.
      const prepared = alone ? await store.prepareCheckpoint() : undefined;
      let seqs: readonly number[];
      try {
        seqs = await store.record(entries);
      } catch (cause) {
        await prepared?.discard();
        throw cause;
      }
      return {
        async finish() {
          if (!prepared) {
            await store.mark("done", seqs).catch((cause) => failure(cause));
            return later();
          }
          await commit(prepared).catch(async (cause) => {
            await prepared.discard();
            failure(cause);
          });
        },
        async abandon() {
          await prepared?.discard();
          try {
            await store.mark("undone", seqs);
          } catch (cause) {
            throw new AgentError(
              "OUTCOME_UNKNOWN",
              "HAProxy refused the change, and the journal can't be marked so.",
              {
                hint: "Look at the disk's free space, then at the state: it may come back.",
                cause,
              },
            );
          }
        },
      };
    },
    now,
    async close() {
      clearTimeout(timer);
      if (store.dirty) await locked(now);
    },
  };
}
