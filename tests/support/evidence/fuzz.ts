/** Inputs by the thousand for one reader: whole ones, near ones and noise, from a seed that is printed. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { FULL, record, seedFor } from "./record.ts";

/** How many times more inputs a full run has. */
const MORE = 20;

export interface Fuzzed {
  readonly name: string;
  /** Inputs in a bounded run. */
  readonly inputs: number;
}

/** Has `check` look at each input; what it throws is a fault, and fast-check shrinks it. */
export async function fuzz<T>(
  { name, inputs }: Fuzzed,
  input: fc.Arbitrary<T>,
  check: (input: T) => void | Promise<void>,
): Promise<void> {
  const numRuns = FULL ? inputs * MORE : inputs;
  let tried = 0;
  let failed = 1;
  try {
    await fc.assert(
      fc.asyncProperty(input, async (one) => {
        tried += 1;
        await check(one);
      }),
      { numRuns, seed: seedFor(name) },
    );
    failed = 0;
  } finally {
    record("Fuzz inputs", name, { inputs: tried, failed });
  }
}

/** Throws what is not of these: a reader may refuse its input in its own words, and in no others. */
export function refusedBy(cause: unknown, ...kinds: readonly (new (...args: never[]) => Error)[]) {
  if (!kinds.some((kind) => cause instanceof kind)) throw cause;
}

/**
 * A sample, changed in a few places: characters put in, taken out or replaced, lines doubled, dropped or swapped, its end
 * cut off. Some are left whole, some are noise.
 *
 * @param words what is put in beside single characters: the reader's own syntax
 */
export function textsNear(
  samples: readonly string[],
  words: readonly string[] = [],
): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 3 }),
    fc.constantFrom(
      "\n",
      "\r",
      "\0",
      " ",
      "\t",
      '"',
      "\\",
      "#",
      "-",
      "0",
      "\u2028",
      "\ufeff",
      ...words,
    ),
  );
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.nat(8),
    piece,
    kind: fc.constantFrom("insert", "delete", "replace", "double", "drop", "swap", "cut" as const),
  });
  const changed = fc.tuple(fc.constantFrom(...samples), fc.array(change, { maxLength: 4 }))
    .map(([sample, changes]) => changes.reduce(apply, sample));
  return fc.oneof(
    { weight: 12, arbitrary: changed },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 200 }) },
  );
}

interface Change {
  readonly at: number;
  readonly length: number;
  readonly piece: string;
  readonly kind: "insert" | "delete" | "replace" | "double" | "drop" | "swap" | "cut";
}

function apply(text: string, { at, length, piece, kind }: Change): string {
  const place = Math.floor(at * text.length);
  const rest = text.slice(place + length);
  switch (kind) {
    case "insert":
      return text.slice(0, place) + piece + text.slice(place);
    case "delete":
      return text.slice(0, place) + rest;
    case "replace":
      return text.slice(0, place) + piece + rest;
    case "cut":
      return text.slice(0, place);
  }
  const lines = text.split("\n");
  const line = Math.floor(at * lines.length);
  const other = (line + length) % lines.length;
  if (kind === "double") lines.splice(line, 0, lines[line]);
  if (kind === "drop") lines.splice(line, 1);
  if (kind === "swap") [lines[line], lines[other]] = [lines[other], lines[line]];
  return lines.join("\n");
}

/** Fails where the same input gives another result the second time. */
export function stable<T>(read: () => T): T {
  const first = read();
  assert.deepEqual(read(), first);
  return first;
}
