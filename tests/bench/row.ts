/** What a benchmark says: a figure of ours, beside a baseline of the same run, against a target. */
import { digits } from "./statistics.ts";

/** Samples and sizes: for the page, or for a look at whether all of it works. */
export type Scale = "full" | "short";

export interface Row {
  /** What `bench.sh NAME` calls it. */
  readonly name: string;
  /** Throws when something did not work. Slow is no error. */
  measure(scale: Scale): Promise<readonly Line[]>;
}

export interface Line {
  readonly what: string;
  /** `0.93 ms (p99 1.61)`; undefined: it could not be measured here, and `result` says why. */
  readonly ours?: string;
  /** What it stands beside, with that one's figure; undefined: ours stands for itself. */
  readonly beside?: string;
  readonly result: string;
  /** Empty: it has none, and explains others. */
  readonly target: string;
  readonly met?: boolean;
}

interface Compared extends Pick<Line, "what" | "beside"> {
  readonly ours: string;
  /** Ours over the baseline's. */
  readonly ratio: number;
}

export const atMost = (max: number, { ratio, ...line }: Compared): Line => ({
  ...line,
  result: `${digits(ratio)} ×`,
  target: `≤ ${max} ×`,
  met: ratio <= max,
});

export const atLeast = (min: number, { ratio, ...line }: Compared): Line => ({
  ...line,
  result: `${digits(ratio)} ×`,
  target: `≥ ${min} ×`,
  met: ratio >= min,
});

export const within = (max: number, unit: string, what: string, value: number): Line => ({
  what,
  ours: `${digits(value)} ${unit}`,
  result: value <= max ? "" : `${digits(value / max)} × the target`,
  target: `≤ ${max} ${unit}`,
  met: value <= max,
});

export const explains = (what: string, ours: string): Line => ({
  what,
  ours,
  result: "",
  target: "",
});

export const notHere = (what: string, target: string, why: string): Line => ({
  what,
  result: `not measured: ${why}`,
  target,
});
