/** Asks for an order's state until the CA has done what it was asked to. */
import type { AcmeOrder } from "@fishballpkg/acme";
import { AgentError } from "../../errors.ts";
import { pause } from "../../pause.ts";
import type { Client } from "./client.ts";
import type { Problem } from "./problem.ts";
import { retryAfterMs } from "./retry_after.ts";

/** Milliseconds between two questions, where the CA names none: shorter at first. */
const FIRST_MS = 250;
const LATER_MS = 3_000;
/** The most that a CA may ask for. */
const MOST_MS = 30_000;

/** What is read of an order (RFC 8555, 7.1.3). */
export interface OrderState {
  readonly status: string;
  readonly certificate?: string;
  readonly error?: Problem;
}

export interface Polling {
  /** For errors: `check example.com`. */
  readonly doing: string;
  readonly done: readonly string[];
  readonly withinMs: number;
  readonly signal: AbortSignal;
}

/**
 * @returns a state that is done, or `invalid`
 * @throws {AgentError} TIMEOUT, ACME; the signal's reason
 */
export async function pollOrder(
  client: Client,
  order: AcmeOrder,
  { doing, done, withinMs, signal }: Polling,
): Promise<OrderState> {
  const end = performance.now() + withinMs;
  for (let interval = FIRST_MS;; interval = Math.min(2 * interval, LATER_MS)) {
    const { state, headers } = await client.step({ doing, signal }, async () => {
      const response = await order.account.jwsFetch(order.url);
      return { state: await response.json() as OrderState, headers: response.headers };
    });
    if (done.includes(state.status) || state.status === "invalid") return state;
    const ms = Math.min(retryAfterMs(headers) ?? interval, MOST_MS);
    if (performance.now() + ms > end) {
      throw new AgentError(
        "TIMEOUT",
        `The CA ${client.host} was asked to ${doing}, and has not done so within ${
          withinMs / 1000
        } s.`,
        { hint: "Try again later." },
      );
    }
    await pause(ms, signal);
  }
}
