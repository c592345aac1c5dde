/**
 * Calls between rooms over a MessagePort, or over the Worker itself:
 * call, started, ok, err, progress, abort, ping, pong.
 */
import { AgentError, type AgentErrorData } from "../errors.ts";

export interface Progress {
  readonly progress: number;
  readonly total?: number;
  readonly message?: string;
}

/** What a handler gets beside its argument. */
export interface CallContext {
  /** Aborts when the caller cancels, its deadline passes, or its room is lost. */
  readonly signal: AbortSignal;
  progress(progress: Progress): void;
}

/** What a room offers to the other end: each handler has one argument. */
// deno-lint-ignore no-explicit-any -- each handler narrows its own argument
export type Handlers = Record<string, (args: any, context: CallContext) => unknown>;

type Wire =
  | {
    readonly t: "call";
    readonly id: number;
    readonly name: string;
    readonly args: unknown;
    /** Nobody asks whether it has begun. */
    readonly harmless?: boolean;
  }
  | { readonly t: "started"; readonly id: number }
  | { readonly t: "ok"; readonly id: number; readonly value: unknown }
  | { readonly t: "err"; readonly id: number; readonly error: AgentErrorData }
  | { readonly t: "progress"; readonly id: number; readonly progress: Progress }
  | {
    readonly t: "abort";
    readonly id: number;
    readonly reason: string;
    /** Its time is over; else the caller has left. */
    readonly late: boolean;
  }
  | { readonly t: "ping" | "pong"; readonly id: number };

/** A MessagePort, a Worker, or a worker's own scope. */
export interface Port {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly transfer?: Transferable[];
  /** It may be made again whether it had begun or not: the other end need not say that it has. @default {false} */
  readonly harmless?: boolean;
  /** After this the call is aborted, and `graceMs` later answered OUTCOME_UNKNOWN. */
  readonly deadlineMs?: number;
  /** How long an aborted handler has to answer. @default {GRACE_MS} */
  readonly graceMs?: number;
  /** The handler stayed silent for `graceMs` after an abort: its room may be stuck. */
  readonly onDeaf?: () => void;
}

export const GRACE_MS = 1_000;

/** The other end is gone: `started` says whether the handler had begun, so whether effects are possible. Of harmless calls it is false. */
export class LostError extends AgentError {
  constructor(why: AgentError, readonly started: boolean) {
    super(why.code, why.message, { hint: why.hint, cause: why });
  }
}

export interface Peer<Remote extends Handlers> {
  call<K extends keyof Remote & string>(
    name: K,
    args: Parameters<Remote[K]>[0],
    options?: CallOptions,
  ): Promise<Awaited<ReturnType<Remote[K]>>>;
  /** True when the other end's event loop answered in time. */
  ping(timeoutMs: number): Promise<boolean>;
  /** Ends the peer: pending calls are rejected with LostError, running handlers aborted, late messages ignored. */
  close(why: AgentError): void;
}

interface Pending {
  started: boolean;
  settle(outcome: { readonly value: unknown } | { readonly error: AgentError }): void;
  onProgress?: (progress: Progress) => void;
}

const isLate = (reason: unknown) =>
  (reason instanceof Error && reason.name === "TimeoutError") ||
  (reason instanceof AgentError && reason.code === "TIMEOUT");

export function connect<Remote extends Handlers>(
  port: Port,
  handlers: Handlers = {},
): Peer<Remote> {
  const pending = new Map<number, Pending>();
  const running = new Map<number, AbortController>();
  let lastId = 0;
  let closed: AgentError | undefined;
  const post = (message: Wire, transfer: Transferable[] = []) => {
    if (!closed) port.postMessage(message, transfer);
  };

  async function serve(id: number, name: string, args: unknown, harmless = false) {
    const controller = new AbortController();
    running.set(id, controller);
    try {
      if (!Object.hasOwn(handlers, name)) {
        throw new AgentError("NOT_FOUND", `No such call: ${name}.`);
      }
      if (!harmless) post({ t: "started", id });
      const progress = (p: Progress) => {
        if (running.has(id)) post({ t: "progress", id, progress: p });
      };
      const value = await handlers[name](args, { signal: controller.signal, progress });
      post({ t: "ok", id, value });
    } catch (cause) {
      post({ t: "err", id, error: AgentError.from(cause).toData() });
    } finally {
      running.delete(id);
    }
  }

  port.onmessage = ({ data }: MessageEvent<Wire>) => {
    if (closed) return;
    const call = pending.get(data.id);
    switch (data.t) {
      case "call":
        return void serve(data.id, data.name, data.args, data.harmless);
      case "started":
        if (call) call.started = true;
        return;
      case "ok":
        return call?.settle({ value: data.value });
      case "err":
        return call?.settle({ error: AgentError.fromData(data.error) });
      case "progress":
        return call?.onProgress?.(data.progress);
      case "abort":
        return running.get(data.id)?.abort(
          new DOMException(data.reason, data.late ? "TimeoutError" : "AbortError"),
        );
      case "ping":
        return post({ t: "pong", id: data.id });
      case "pong":
        return call?.settle({ value: true });
    }
  };

  return {
    call(name, args, options = {}) {
      const { signal, onProgress, transfer, harmless, deadlineMs, onDeaf } = options;
      const { graceMs = GRACE_MS } = options;
      if (closed) return Promise.reject(new LostError(closed, false));
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        const timers: ReturnType<typeof setTimeout>[] = [];
        const abort = (reason: string, late = false) => {
          post({ t: "abort", id, reason, late });
          const unknown = new AgentError(
            "OUTCOME_UNKNOWN",
            `${name}: ${reason}; no answer since.`,
            {
              hint: "Read the current state before you try again.",
            },
          );
          timers.push(setTimeout(() => {
            pending.get(id)?.settle({ error: unknown });
            onDeaf?.();
          }, graceMs));
        };
        const onAbort = () =>
          abort(String(signal?.reason?.message ?? signal?.reason), isLate(signal?.reason));
        pending.set(id, {
          started: false,
          onProgress,
          settle(outcome) {
            pending.delete(id);
            for (const timer of timers) clearTimeout(timer);
            // A 2026-07-28 call's signal also aborts after success: it must find nobody listening.
            signal?.removeEventListener("abort", onAbort);
            if ("error" in outcome) reject(outcome.error);
            // deno-lint-ignore no-explicit-any -- the value's type is the remote handler's
            else resolve(outcome.value as any);
          },
        });
        if (deadlineMs !== undefined) {
          timers.push(setTimeout(() => abort(`${deadlineMs} ms passed`, true), deadlineMs));
        }
        signal?.addEventListener("abort", onAbort);
        post({ t: "call", id, name, args, ...(harmless && { harmless }) }, transfer);
        if (signal?.aborted) onAbort();
      });
    },
    ping(timeoutMs) {
      const id = ++lastId;
      return new Promise((resolve) => {
        const done = (alive: boolean) => {
          pending.delete(id);
          clearTimeout(timer);
          resolve(alive);
        };
        const timer = setTimeout(() => done(false), timeoutMs);
        pending.set(id, { started: false, settle: (outcome) => done("value" in outcome) });
        post({ t: "ping", id });
      });
    },
    close(why) {
      closed = why;
      for (const call of [...pending.values()]) {
        call.settle({ error: new LostError(why, call.started) });
      }
      for (const controller of running.values()) controller.abort(why);
    },
  };
}
