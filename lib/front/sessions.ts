/** Sessions of the 2024-11-05 to 2025-11-25 protocols: how many there are, and how long one may be idle. */

export interface SessionLimits {
  readonly max: number;
  readonly idleMs: number;
}

export interface Sessions<T> {
  readonly size: number;
  /** The session, marked as used now. */
  use(id: string): T | undefined;
  /** False: all are taken and none is idle. Else the one idle longest has made room. */
  add(id: string, session: T): boolean;
  /** While an answer or the GET stream is open the session is not idle. The returned function ends that. */
  hold(id: string): () => void;
  /** Forgets the session without ending it. */
  remove(id: string): void;
  /** Ends the sessions that have been idle too long. */
  sweep(): void;
  end(id: string): void;
  endWhere(isOver: (session: T) => boolean): void;
}

interface Entry<T> {
  readonly session: T;
  usedAt: number;
  held: number;
}

/**
 * @param end what ends a session that is put out
 * @param now milliseconds
 */
export function createSessions<T>(
  { max, idleMs }: SessionLimits,
  end: (session: T) => void,
  now: () => number = Date.now,
): Sessions<T> {
  const entries = new Map<string, Entry<T>>();
  const idle = () =>
    [...entries].filter(([, { held }]) => held === 0).sort(([, a], [, b]) => a.usedAt - b.usedAt);
  const putOut = (id: string) => {
    const entry = entries.get(id);
    entries.delete(id);
    if (entry) end(entry.session);
  };
  return {
    get size() {
      return entries.size;
    },
    use(id) {
      const entry = entries.get(id);
      if (entry) entry.usedAt = now();
      return entry?.session;
    },
    add(id, session) {
      if (entries.size >= max) {
        const [idlest] = idle();
        if (!idlest) return false;
        putOut(idlest[0]);
      }
      entries.set(id, { session, usedAt: now(), held: 0 });
      return true;
    },
    hold(id) {
      const entry = entries.get(id);
      if (entry) entry.held++;
      return () => {
        if (!entry) return;
        entry.held--;
        entry.usedAt = now();
      };
    },
    remove: (id) => void entries.delete(id),
    sweep() {
      const limit = now() - idleMs;
      for (const [id, { usedAt }] of idle()) if (usedAt <= limit) putOut(id);
    },
    end: putOut,
    endWhere(isOver) {
      for (const [id, { session }] of [...entries]) if (isOver(session)) putOut(id);
    },
  };
}
