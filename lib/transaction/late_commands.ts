/**
 * Commands that HAProxy had not answered when it fell silent wait in its socket, even when our end is closed: HAProxy
 * carries them out once it goes on, beside a new connection and perhaps behind what is read on that.
 */
import { AgentError } from "../errors.ts";
import { pause } from "../pause.ts";

/** A HAProxy that answers has read what waited in its sockets before this is over. */
const LATE_MS = 1_000;

export const fellSilent = (cause: unknown): boolean =>
  AgentError.from(cause).code === "HAPROXY_UNREACHABLE";

/** Looks again when whatever was late has come. */
export async function later<T>(bringInLine: () => Promise<T>): Promise<T> {
  await pause(LATE_MS);
  return await bringInLine();
}

export async function twice<T>(bringInLine: () => Promise<T>): Promise<T> {
  await bringInLine();
  return await later(bringInLine);
}
