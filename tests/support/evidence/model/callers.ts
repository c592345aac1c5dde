/** Those who call: MCP clients of both eras over HTTP, one over stdio, and the shell. What they hear, in one form. */
import { setTimeout as delay } from "node:timers/promises";
import { callFromShell, connectStdio, type Serve } from "../../agent.ts";
import type { Haproxy } from "../../haproxy.ts";
import type { Era, ToolCaller } from "../../mcp_client.ts";

export type Heard =
  | { readonly done: Readonly<Record<string, unknown>> }
  | { readonly refused: string; readonly message: string }
  /** Nobody answered: it may be done or not. */
  | { readonly unknown: string };

export interface Caller extends AsyncDisposable {
  readonly name: string;
  ask(tool: string, args: object): Promise<Heard>;
}

/** The `serve` that runs now, and a signal that is given when it is killed. */
export interface RunningAgent {
  readonly serve: Serve;
  readonly killed: AbortSignal;
}

/** Milliseconds between an agent's end and the test's knowledge of it. */
const KILL_MS = 2_000;

/** @param agent waits for one, where there is none */
export function httpCaller(era: Era, agent: () => Promise<RunningAgent>): Caller {
  let connected: { readonly to: Serve; readonly caller: ToolCaller } | undefined;
  return {
    name: `http ${era}`,
    async ask(tool, args) {
      const { serve, killed } = await agent();
      try {
        if (connected?.to !== serve) {
          connected = { to: serve, caller: await untilKilled(serve.connect(era), killed) };
        }
        return await untilKilled(heardOf(connected.caller, tool, args, killed), killed);
      } catch (cause) {
        if (killed.aborted) return { unknown: `${cause}` };
        throw cause;
      }
    },
    // The clients of an agent end with it.
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** The client's library may wait for an answer that can't come any more. */
async function untilKilled<T>(answer: Promise<T>, killed: AbortSignal): Promise<T> {
  const { promise: end, reject } = Promise.withResolvers<never>();
  for (const each of [answer, end]) each.catch(() => {});
  killed.throwIfAborted();
  killed.addEventListener("abort", () => reject(killed.reason), { once: true });
  try {
    return await Promise.race([answer, end]);
  } catch (cause) {
    // A connection that breaks off is seen before the test knows that it has killed the agent.
    if (!killed.aborted) await Promise.race([delay(KILL_MS), end]);
    throw cause;
  }
}

export async function stdioCaller(haproxy: Haproxy, era: Era): Promise<Caller> {
  const caller = await connectStdio(haproxy, era);
  return {
    name: `stdio ${era}`,
    ask: (tool, args) => heardOf(caller, tool, args),
    [Symbol.asyncDispose]: () => caller[Symbol.asyncDispose](),
  };
}

export function shellCaller(haproxy: Haproxy): Caller {
  return {
    name: "shell",
    async ask(tool, args) {
      const { code, printed } = await callFromShell(haproxy, tool, args);
      if (code === 0) return { done: printed };
      return heardError(printed.error as { code: string; message: string });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function heardOf(
  caller: ToolCaller,
  tool: string,
  args: object,
  signal?: AbortSignal,
): Promise<Heard> {
  const answer = await caller.ask(tool, args, signal);
  return answer.ok ? { done: answer.result.structured } : heardError(answer.error);
}

const heardError = ({ code, message }: { readonly code: string; readonly message: string }) =>
  code === "OUTCOME_UNKNOWN" ? { unknown: message } : { refused: code, message };
