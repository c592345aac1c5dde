/** A look at something that may not be there to be seen: what was seen, or why nothing was. Plain data. */
import { AgentError, type AgentErrorData } from "./errors.ts";

export type Looked<T> = { readonly value: T } | { readonly error: AgentErrorData };

/** Never throws. */
export async function look<T>(at: () => T | Promise<T>): Promise<Looked<T>> {
  try {
    return { value: await at() };
  } catch (cause) {
    return { error: AgentError.from(cause).toData() };
  }
}
