/** The way to the tools room: keeps the current port, and answers for what a lost room took along. */
import { AgentError } from "../errors.ts";
import { connect, type Handlers, LostError, type Peer, type Progress } from "../rpc/mod.ts";
import type { ToolCall, ToolDefinition, ToolResult } from "../tool_definition.ts";

export interface ToolsClient {
  /** Calls go to this port from now on. Those on the port before it are lost, or sent again. */
  attach(port: MessagePort): void;
  /** Throws AgentError: the tool's own, OUTCOME_UNKNOWN, TIMEOUT or CANCELLED. */
  call(definition: ToolDefinition, call: ToolCall, options: {
    readonly signal: AbortSignal;
    readonly onProgress?: (progress: Progress) => void;
  }): Promise<ToolResult>;
  /** Asks for what changes nothing: resources, completions, metrics. Throws AgentError. */
  read<T>(name: string, args: unknown, options?: {
    readonly signal?: AbortSignal;
    readonly deadlineMs?: number;
  }): Promise<T>;
  /** Resolves when no call is in flight, after `timeoutMs` at the latest. */
  whenIdle(timeoutMs: number): Promise<void>;
}

/** How often a call that a lost room took along is sent to the next one. */
const RESENDS = 2;

/** What a tool may add to its own `timeout` argument before its caller gives up. */
const TIMEOUT_MARGIN_MS = 5_000;

/** A timer may come so much early. */
const TIMER_MS = 5;

const READ_MS = 15_000;

export interface ToolsClientOptions {
  /** A tool's call ignored its abort: its room may be stuck. */
  readonly onDeaf: (tool: string) => void;
  /** What the tools room may tell us. */
  readonly handlers?: Handlers;
}

export function createToolsClient({ onDeaf, handlers }: ToolsClientOptions): ToolsClient {
  let current: { readonly port: MessagePort; readonly peer: Peer<Handlers> } | undefined;
  const inFlight = new Set<Promise<unknown>>();

  /**
   * Asks the room that is there now. What a lost one took along goes to the next, where that does no harm.
   *
   * @param changes once begun it may have had effects: it is not sent again
   */
  async function send<T>(
    { name, changes, signal }: {
      readonly name: string;
      readonly changes: boolean;
      readonly signal?: AbortSignal;
    },
    ask: (peer: Peer<Handlers>) => Promise<unknown>,
  ): Promise<T> {
    for (let sent = 1;; sent++) {
      if (!current) {
        throw new AgentError("INTERNAL", `${name} was not run: there is no tools room yet.`);
      }
      try {
        return await ask(current.peer) as T;
      } catch (cause) {
        if (!(cause instanceof LostError) || (cause.started && changes)) throw cause;
        if (signal?.aborted) throw new AgentError("CANCELLED", `${name} was cancelled.`);
        if (sent > RESENDS) {
          throw new AgentError("INTERNAL", `${name}: the tools room was lost ${sent} times.`, {
            hint: "Nothing was changed by this call. Look into the agent's log.",
            cause,
          });
        }
      }
    }
  }

  function callTool(
    definition: ToolDefinition,
    call: ToolCall,
    { signal, onProgress }: Parameters<ToolsClient["call"]>[2],
  ): Promise<ToolResult> {
    const { name, annotations: { readOnlyHint } } = definition;
    const deadlineMs = deadlineOf(definition, call.args);
    const options = {
      signal,
      onProgress,
      deadlineMs,
      harmless: readOnlyHint,
      onDeaf: () => onDeaf(name),
    };
    return send({ name, changes: !readOnlyHint, signal }, async (peer) => {
      const end = performance.now() + deadlineMs - TIMER_MS;
      try {
        return await peer.call(name, call, options);
      } catch (cause) {
        if (cause instanceof LostError) throw cause;
        throw explain(definition, cause, signal, performance.now() >= end);
      }
    });
  }

  return {
    attach(port) {
      const lost = current;
      current = { port, peer: connect(port, handlers) };
      lost?.peer.close(
        new AgentError("OUTCOME_UNKNOWN", "The tools room was lost while it ran this call.", {
          hint: "Read the current state before you try again.",
        }),
      );
      lost?.port.close();
    },
    read: (name, args, options = {}) =>
      send(
        { name, changes: false, signal: options.signal },
        (peer) => peer.call(name, args, { deadlineMs: READ_MS, harmless: true, ...options }),
      ),
    call(definition, call, options) {
      const answer = callTool(definition, call, options);
      const settled = answer.then(() => {}, () => {}).then(() => void inFlight.delete(settled));
      inFlight.add(settled);
      return answer;
    },
    async whenIdle(timeoutMs) {
      const { promise: timeout, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      const idle = async () => {
        while (inFlight.size > 0) await Promise.all(inFlight);
      };
      await Promise.race([idle(), timeout]);
      clearTimeout(timer);
    },
  };
}

/** What the caller waits before it aborts the call, in milliseconds. */
function deadlineOf({ deadlineMs, deadlineFromTimeout }: ToolDefinition, args: unknown): number {
  const timeout = (args as { timeout?: unknown } | undefined)?.timeout;
  return deadlineFromTimeout && typeof timeout === "number" && timeout > 0 && timeout <= 86_400
    ? timeout * 1_000 + TIMEOUT_MARGIN_MS
    : deadlineMs;
}

/** What a tool says that ends by its deadline's abort is told as such, with what to do. */
function explain(
  { name, annotations }: ToolDefinition,
  cause: unknown,
  signal: AbortSignal,
  over: boolean,
): AgentError {
  const error = AgentError.from(cause);
  const { code, message, details } = error;
  const late = ((code === "CANCELLED" || code === "TIMEOUT") && over) ||
    (code === "OUTCOME_UNKNOWN" && annotations.readOnlyHint);
  if (!late || signal.aborted) return error;
  const hint = annotations.readOnlyHint
    ? "Try again; if it stays so, look into the agent's log."
    : "Read the current state before you try again.";
  return new AgentError("TIMEOUT", `${name} took too long: ${message}`, { hint, details, cause });
}
