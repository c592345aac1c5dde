/** What a step's answers have to be: a sentence, and the test of it. */
import { isDeepStrictEqual } from "node:util";

export interface Expectation {
  readonly text: string;
  readonly holds: (answers: readonly string[]) => boolean;
}

/** Every answer is this one. */
export function only(answer: string): Expectation {
  return { text: `only ${answer}`, holds: (answers) => answers.every((each) => each === answer) };
}

/** Each of these answers, and no other. */
export function each(...names: readonly string[]): Expectation {
  return {
    text: names.join(" and "),
    holds: (answers) => isDeepStrictEqual(new Set(answers), new Set(names)),
  };
}

/** The first answers `times` as often as the second, give or take one; nobody else does. */
export function share(often: string, seldom: string, times: number): Expectation {
  return {
    text: `${often} ${times} times as often as ${seldom}`,
    holds(answers) {
      const count = answers.filter((answer) => answer === seldom).length;
      const wanted = answers.length / (times + 1);
      return each(often, seldom).holds(answers) && Math.abs(count - wanted) <= 1;
    },
  };
}

/** Whether `value` has all that `wanted` has; arrays as long as each other. */
export function includes(value: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return value === wanted;
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(wanted) && (value as unknown[]).length !== wanted.length) return false;
  return Object.entries(wanted).every(([key, part]) =>
    includes((value as Record<string, unknown>)[key], part)
  );
}
