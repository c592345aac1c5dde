/** A call to a running agent, and what is left once the agent has put right what it has to. */
import { setTimeout as delay } from "node:timers/promises";
import type { Serve } from "../../agent.ts";
import type { Haproxy } from "../../haproxy.ts";
import { type Expected, judge, type Verdict } from "../crash.ts";
import type { Change } from "../site.ts";
import type { Told } from "../stopped_call.ts";
import { lookAt, type View } from "../view.ts";

/** A caller's patience: more than any tool's own deadline. */
export const PATIENCE_MS = 150_000;
/** Until a running agent has put right what is not. */
const SETTLED_MS = 15_000;
/** It looks at HAProxy once a second: what is right for longer has been looked at. */
const STAYS_MS = 1_500;

export async function callerOf(agent: Serve): Promise<(call: Change) => Promise<Told>> {
  const { client } = await agent.connect();
  return async ({ tool: name, args }) => {
    const result = await client.callTool({ name, arguments: args }, { timeout: PATIENCE_MS });
    const error = result._meta?.["haproxy-mcp/error"] as { readonly code: string } | undefined;
    return {
      done: !result.isError,
      text: JSON.stringify(result.content),
      ...(error && { code: error.code }),
    };
  };
}

export interface Settled {
  readonly verdict: Verdict;
  readonly left: View;
}

export async function lookOnce(
  haproxy: Haproxy,
  expected: Expected,
  told: Told | undefined,
): Promise<Settled> {
  const left = await lookAt(haproxy);
  return { left, verdict: judge(left, expected, told) };
}

/** What is left once it is right and stays so; what is left at last where that does not come about. */
export async function settledBy(
  haproxy: Haproxy,
  expected: Expected,
  told: Told | undefined,
): Promise<Settled> {
  let right: Settled | undefined;
  let since = 0;
  for (const end = performance.now() + SETTLED_MS;; await delay(100)) {
    const now = await lookOnce(haproxy, expected, told);
    const good = now.verdict === "before" || now.verdict === "after";
    if (!good || now.verdict !== right?.verdict) since = performance.now();
    right = good ? now : undefined;
    if (right && performance.now() - since >= STAYS_MS) return right;
    if (performance.now() >= end) return now;
  }
}
