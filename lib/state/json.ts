/** JSON files that people edit: what is wrong is said with its place. */
import type { AgentError } from "../errors.ts";

/** Makes the error for what is wrong at a place of the file. */
export type Corrupt = (place: string, what: string) => AgentError;

/** Throws `corrupt` with line and column. */
export function parseJson(text: string, corrupt: Corrupt): unknown {
  // Cut to nothing it would empty every pool: whoever means that writes {}.
  if (text.trim() === "") throw corrupt("the whole", "it is empty, which is not JSON");
  try {
    return JSON.parse(text);
  } catch {
    const at = brokenAt(text);
    const before = text.slice(0, at).split("\n");
    throw corrupt(
      `line ${before.length}, column ${before[before.length - 1].length + 1}`,
      at < text.length ? `${JSON.stringify(text[at])} is not JSON here` : "the JSON ends too early",
    );
  }
}

/**
 * Where the text stops being JSON, which V8 says in some of its messages only: behind the longest beginning that is whole
 * or merely unfinished.
 */
function brokenAt(text: string): number {
  let good = 0;
  for (let bad = text.length + 1; bad - good > 1;) {
    const middle = (good + bad) >> 1;
    if (isBeginning(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

function isBeginning(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (cause) {
    const { message } = cause as Error;
    return /end of JSON input|^Unterminated string/.test(message) ||
      Number(/ at position (\d+)/.exec(message)?.[1]) === text.length;
  }
}

/** Throws `corrupt` for anything but an object. */
export function object(value: unknown, place: string, corrupt: Corrupt): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw corrupt(place, "an object is expected");
}
