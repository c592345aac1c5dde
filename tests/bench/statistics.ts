/** Medians and percentiles; numbers as a reader wants them. */

/** What lies at `share` (0 to 1) of the sorted values. Throws for none. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error("there is nothing to take a percentile of");
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** Three digits that count, and no more: 0.412, 8.31, 1,820. */
export function digits(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

/** `0.93 ms (p99 1.61)` */
export const inMs = (times: readonly number[]): string =>
  `${digits(median(times))} ms (p99 ${digits(percentile(times, 0.99))})`;
