/** The one way from words to a command line of the Runtime API. */
import { AgentError } from "../errors.ts";

/**
 * What a successful reply looks like:
 * - `silence`: an empty reply
 * - `address`: one of the sentences of `set server addr` (success and failure share a severity)
 * - `data`: anything that is not an error
 */
export type Expectation = "silence" | "address" | "data";

declare const encoded: unique symbol;

/** One command. Only `encode` makes these, so whatever is sent has passed it. */
export interface Command {
  readonly line: string;
  readonly expects: Expectation;
  readonly [encoded]: true;
}

/** Well below tune.bufsize (16384 by default), which bounds a line. */
export const MAX_LINE = 8_000;

/**
 * Blanks, line ends and `;` would make more words or commands, `\`, quotes and `<<` change how HAProxy
 * reads the line (management.txt 9.3); control and non-ASCII characters have no business in one.
 */
const WORD = /^(?!.*<<)[\x21\x23-\x26\x28-\x3a\x3c-\x5b\x5d-\x7e]+$/;

/** The words as exactly one command line. Throws VALIDATION for a word that HAProxy would not read as one word. */
export function encode(words: readonly string[], expects: Expectation): Command {
  const bad = words.find((word) => !WORD.test(word));
  if (bad !== undefined || words.length === 0) {
    throw new AgentError(
      "VALIDATION",
      `${JSON.stringify((bad ?? "").slice(0, 300))} can't be part of a Runtime API command.`,
      { hint: "Leave out blanks, quotes, backslashes, semicolons and characters beyond ASCII." },
    );
  }
  const line = words.join(" ");
  if (line.length > MAX_LINE) {
    throw new AgentError("VALIDATION", `The command is longer than ${MAX_LINE} characters.`);
  }
  return { line, expects } as Command;
}
