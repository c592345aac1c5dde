/** The one way from words, and perhaps a payload, to a command of the Runtime API. */
import { AgentError } from "../errors.ts";

/**
 * What a successful reply looks like:
 * - `silence`: an empty reply
 * - `address`: one of the sentences of `set server addr` (success and failure share a severity)
 * - `data`: anything that is not an error
 * - the others: the sentence with which that command on certificates ends well
 */
export type Expectation =
  | "silence"
  | "address"
  | "data"
  | "new cert"
  | "set cert"
  | "commit cert"
  | "abort cert"
  | "del cert"
  | "add crt-list"
  | "del crt-list";

/** What follows a command on lines of its own: certificates and their key, or one line of words. */
export type Payload = { readonly pem: string } | { readonly words: readonly string[] };

declare const encoded: unique symbol;

/** One command. Only `encode` makes these, so whatever is sent has passed it. */
export interface Command {
  /** The command line itself: for errors, logs and previews. */
  readonly line: string;
  readonly expects: Expectation;
  /**
   * The lines after it, each with its LF, without the one that ends them. May hold a private key: it is not enumerable,
   * so that neither JSON nor an inspection of the command shows it, and belongs in no error, log or preview.
   */
  readonly payload?: string;
  readonly [encoded]: true;
}

/** Well below tune.bufsize (16384 by default), which bounds a line. */
export const MAX_LINE = 8_000;
/**
 * Bytes that a command with its payload may have on the wire. Measured with the default tune.bufsize: 3.0 and 3.2 close
 * the connection at one more; 3.4 alone takes more, but then misreads the commands behind it.
 */
export const MAX_WITH_PAYLOAD = 16_383;

/**
 * Blanks, line ends and `;` would make more words or commands, `\`, quotes and `<<` change how HAProxy
 * reads the line (management.txt 9.3); control and non-ASCII characters have no business in one.
 */
const WORD = /^(?!.*<<)[\x21\x23-\x26\x28-\x3a\x3c-\x5b\x5d-\x7e]+$/;
/** RFC 7468: a boundary, or base64. Never empty, and never the line that ends the payload. */
const PEM_LINE = /^(?:-----(?:BEGIN|END) [A-Z0-9. ]{1,64}-----|[A-Za-z0-9+/]{1,256}={0,2})$/;
/** HAProxy takes up to seven characters; a blank line, which ends a payload without a mark, is nothing special then. */
const END = "%END%";

/**
 * The words as exactly one command line, the payload as exactly what follows it. Throws VALIDATION for a word that HAProxy
 * would not read as one word, and for a payload that could end early.
 */
export function encode(
  words: readonly string[],
  expects: Expectation,
  payload?: Payload,
): Command {
  const line = joined(words) + (payload === undefined ? "" : ` <<${END}`);
  if (line.length > MAX_LINE) {
    throw new AgentError("VALIDATION", `The command is longer than ${MAX_LINE} characters.`);
  }
  const command = { line, expects } as Command;
  if (payload === undefined) return command;
  const text = "pem" in payload ? pemLines(payload.pem) : `${joined(payload.words)}\n`;
  if (text === `${END}\n`) throw new AgentError("VALIDATION", `${END} would end the payload.`);
  Object.defineProperty(command, "payload", { value: text });
  const size = wire(command).length;
  if (size <= MAX_WITH_PAYLOAD) return command;
  throw new AgentError(
    "VALIDATION",
    `"${line}" has ${size} bytes with its payload, of at most ${MAX_WITH_PAYLOAD}.`,
  );
}

/** What is sent. All of it is ASCII, so characters are bytes. */
export function wire({ line, payload }: Command): string {
  return payload === undefined ? `${line}\n` : `${line}\n${payload}${END}\n`;
}

function joined(words: readonly string[]): string {
  const bad = words.find((word) => !WORD.test(word));
  if (bad === undefined && words.length > 0) return words.join(" ");
  throw new AgentError(
    "VALIDATION",
    `${JSON.stringify((bad ?? "").slice(0, 300))} can't be part of a Runtime API command.`,
    { hint: "Leave out blanks, quotes, backslashes, semicolons and characters beyond ASCII." },
  );
}

/** Says where it is wrong, never what stands there: that may be a part of a key. */
function pemLines(pem: string): string {
  const lines = pem.split("\n");
  const end = lines.pop();
  const bad = lines.findIndex((line) => !PEM_LINE.test(line));
  if (bad < 0 && end === "" && lines.length > 0) return pem;
  throw new AgentError(
    "VALIDATION",
    `Line ${bad < 0 ? lines.length + 1 : bad + 1} of a PEM can't be sent to HAProxy.`,
    { hint: "A PEM has BEGIN and END lines and base64 between them, and ends with a newline." },
  );
}
