/**
 * When the files follow the journal. A change that comes alone is in the files before its answer. Changes that come
 * together are durable by the journal, and the files follow in the first pause, at most LAG_MS later.
 */
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import type { Change } from "../state/model.ts";
import type { PreparedCheckpoint, Store } from "../state/store.ts";

/** Changes less than this apart come together. */
const PAUSE_MS = 20;
const LAG_MS = 1_000;
const RETRY_MS = 1_000;

/** A batch of changes on its way to disk: the journal has it. */
export interface Save {
  /** HAProxy has the changes, too. */
  finish(): Promise<void>;
  /** HAProxy refused, and memory has taken them back. `clean`: so has HAProxy, for sure. */
  abandon(clean: boolean): Promise<void>;
}

export interface Checkpoints {
  /** Journals the entries, which memory already holds. Throws STATE_IO with nothing written. */
  begin(
    entries: readonly { readonly tool: string; readonly changes: readonly Change[] }[],
  ): Promise<Save>;
  /** Brings the files up to date, if they are not. Under the lock. */
  catchUp(): Promise<void>;
  /** Ends the timer, after a last checkpoint where one is due. */
  close(): Promise<void>;
}

export function checkpoints(
  store: Store,
  locked: <T>(act: () => Promise<T>) => Promise<T>,
): Checkpoints {
  let lastChangeAt = -Infinity;
  /** When the first change came that the files lack. */
  let behindSince: number | undefined;
  let failed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function later(waitMs: number): void {
    clearTimeout(timer);
    const now = performance.now();
    behindSince ??= now;
    timer = setTimeout(
      () => locked(catchUp).catch((cause) => failure(cause)),
      Math.max(0, Math.min(waitMs, behindSince + LAG_MS - now)),
    );
  }

  function failure(cause: unknown): void {
    // The journal holds everything. Until it works again, changes are staged before they are begun, so refused.
    failed = true;
    behindSince = undefined;
    log.error(`The files could not be brought up to date: ${AgentError.from(cause).message}`);
    later(RETRY_MS);
  }

  async function commit(prepared: PreparedCheckpoint): Promise<void> {
    await prepared.commit();
    clearTimeout(timer);
    behindSince = undefined;
    failed = false;
  }

  async function catchUp(): Promise<void> {
    if (store.dirty) await commit(await store.prepareCheckpoint());
  }

  return {
    async begin(entries) {
      const alone = failed || performance.now() - lastChangeAt >= PAUSE_MS;
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
          lastChangeAt = performance.now();
          if (!prepared) {
            later(PAUSE_MS);
            return await store.mark("done", seqs).catch((cause) => failure(cause));
          }
          await commit(prepared).catch(async (cause) => {
            await prepared.discard();
            // For other processes that read: the journal has to say that it is so.
            await store.mark("done", seqs).catch(() => {});
            failure(cause);
          });
        },
        async abandon(clean) {
          await prepared?.discard();
          later(PAUSE_MS);
          try {
            await store.mark(clean ? "undone" : "doubtful", seqs);
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
    catchUp,
    async close() {
      clearTimeout(timer);
      if (store.dirty) await locked(catchUp);
    },
  };
}
