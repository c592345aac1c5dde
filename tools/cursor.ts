/** Cursors of long lists: the last key of a page, so that a list that changes meanwhile goes on at the right place. */
import { AgentError } from "../lib/errors.ts";

export const encodeCursor = (key: string): string => btoa(key).replaceAll("=", "");

/** Throws VALIDATION for what is not one of ours. */
export function decodeCursor(cursor: string): string {
  try {
    const key = atob(cursor);
    if (/^[!-~]{1,255}$/.test(key)) return key;
  } catch {
    // Not base64: refused below.
  }
  throw new AgentError(
    "VALIDATION",
    `cursor ${JSON.stringify(cursor.slice(0, 100))} is not one of ours.`,
    {
      hint: "Pass next_cursor of the page before as it was, or nothing for the first page.",
    },
  );
}
