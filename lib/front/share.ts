/** So many of its kind may be under way for one caller at once: whoever asks without end leaves room for the others. */
export interface Share {
  /** Undefined: the caller has as many as may be. What it returns ends this one, and may be called more than once. */
  take(key: string): (() => void) | undefined;
}

export function createShare(max: number): Share {
  const counts = new Map<string, number>();
  return {
    take(key) {
      const count = counts.get(key) ?? 0;
      if (count >= max) return undefined;
      counts.set(key, count + 1);
      let over = false;
      return () => {
        if (over) return;
        over = true;
        const left = (counts.get(key) ?? 1) - 1;
        if (left > 0) counts.set(key, left);
        else counts.delete(key);
      };
    },
  };
}
