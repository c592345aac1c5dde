/** The one error type that reaches a caller: a code for programs, a sentence and a hint for people. */

/** What a caller can tell apart. The list is part of the contract: codes are added, never renamed. */
export const ERROR_CODES = [
  "VALIDATION",
  "NOT_FOUND",
  "CONFLICT",
  "CAPACITY",
  "REFUSED",
  "CANCELLED",
  "CONFIRMATION_NEEDED",
  "HAPROXY_UNREACHABLE",
  "HAPROXY_REJECTED",
  "CONFIG_INVALID",
  "RELOAD_FAILED",
  "STATE_CORRUPT",
  "STATE_IO",
  "TIMEOUT",
  "CERTIFICATE",
  "ACME",
  "UNSUPPORTED",
  "OUTCOME_UNKNOWN",
  "INTERNAL",
] as const;
export type ErrorCode = typeof ERROR_CODES[number];

export interface AgentErrorOptions {
  /** What to do next, as a sentence. */
  readonly hint?: string;
  /** Plain data for programs: must survive a structured clone and JSON. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An error as it crosses rooms and reaches clients: class identity is lost in a structured clone, the code is not. */
export interface AgentErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Says what happened, to what, and (hint) what to do next. Never holds a secret. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly hint?: string;
  readonly details?: Readonly<Record<string, unknown>>;

  constructor(readonly code: ErrorCode, message: string, options: AgentErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.hint = options.hint;
    this.details = options.details;
  }

  /** Any thrown value as an AgentError: an abort is CANCELLED, everything unforeseen is INTERNAL. */
  static from(cause: unknown): AgentError {
    if (cause instanceof AgentError) return cause;
    const error = cause instanceof Error ? cause : new Error(String(cause));
    if (error.name === "AbortError") return new AgentError("CANCELLED", error.message, { cause });
    if (error.name === "TimeoutError") return new AgentError("TIMEOUT", error.message, { cause });
    return new AgentError("INTERNAL", error.message, { cause });
  }

  static fromData({ code, message, hint, details }: AgentErrorData): AgentError {
    return new AgentError(code, message, { hint, details });
  }

  toData(): AgentErrorData {
    const { code, message, hint, details } = this;
    return { code, message, ...(hint && { hint }), ...(details && { details }) };
  }
}
