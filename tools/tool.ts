/** A tool in the table: its data (name, hints, schemas, deadline) and its handler. One zod schema is the validation, the JSON Schema and the type. */
import * as z from "zod";
import { AgentError } from "../lib/errors.ts";
import type { CallContext } from "../lib/rpc/mod.ts";
import { log } from "../lib/log.ts";
import type {
  ToolCall,
  ToolDefinition,
  ToolGroup,
  ToolHints,
  ToolResult,
} from "../lib/tool_definition.ts";
import type { ChangeRequest, Outcome } from "../lib/transaction/request.ts";
import type { AuditRecord } from "../lib/state/audit.ts";
import type { ToolContext } from "./context.ts";

export interface ToolCallContext extends CallContext, Pick<ToolCall, "caller" | "verdict"> {}

/** What a handler gets: its call, and the one way to change things. */
export interface HandlerContext extends CallContext {
  /** Changes what the plan says, in the tool's name; with the argument `dry_run` it only answers what would change. */
  change<Result>(plan: ChangeRequest<Result>["plan"]): Promise<Outcome<Result>>;
}

export interface Tool {
  readonly definition: ToolDefinition;
  /** Validates the arguments. Refusals are thrown as AgentError. */
  run(args: unknown, context: ToolContext, call: ToolCallContext): Promise<ToolResult>;
}

export interface ToolSpec<Input extends z.ZodObject, Output extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly group: ToolGroup;
  readonly hints: ToolHints;
  readonly input: Input;
  readonly output: Output;
  /** Milliseconds. */
  readonly deadlineMs?: number;
  readonly deadlineFromTimeout?: boolean;
  run(
    input: z.output<Input>,
    context: ToolContext,
    call: HandlerContext,
  ): Promise<{ readonly text: string; readonly structured: z.input<Output> }>;
}

/** Longer than waiting for the lock, for HAProxy, and for HAProxy once more to undo. */
const DEFAULT_DEADLINE_MS = 30_000;

export const READS: ToolHints = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false,
};
/** Only ever adds. */
export const ADDS: ToolHints = { ...READS, readOnlyHint: false, idempotentHint: false };
/** Changes or removes what stands there: not additive, so destructive in the specification's sense. */
export const CHANGES: ToolHints = { ...READS, readOnlyHint: false, destructiveHint: true };
/** Adds, or with a named place replaces what stands there. */
export const PUTS: ToolHints = { ...CHANGES, idempotentHint: false };

export function tool<Input extends z.ZodObject, Output extends z.ZodObject>(
  spec: ToolSpec<Input, Output>,
): Tool {
  const { name, title, description, group, hints, input, output } = spec;
  const writes = !hints.readOnlyHint;

  async function checked(
    args: unknown,
    context: ToolContext,
    call: ToolCallContext,
    note: (changed: readonly string[]) => void,
  ): Promise<ToolResult & { readonly dryRun: boolean }> {
    if (call.verdict === "refused") {
      throw new AgentError("REFUSED", `${name} changes HAProxy, and this access is read-only.`, {
        hint: "Use a token of MCP_TOKEN, or one with the scope haproxy:write.",
      });
    }
    if (call.verdict === "declined") {
      throw new AgentError("CANCELLED", `${name} was declined. Nothing was changed.`);
    }
    if (call.verdict === "unanswered") {
      const hint = "Ask the person, then call again.";
      const message =
        `${name} was not confirmed: nobody answered the question. Nothing was changed.`;
      throw new AgentError("CANCELLED", message, { hint });
    }
    if (writes && context.readOnly) {
      throw new AgentError("REFUSED", `${name} changes things, and MCP_READ_ONLY is set.`);
    }
    const yes = call.verdict === "accepted" && { confirm: true };
    const parsed = input.safeParse(yes ? { ...args as object, ...yes } : args ?? {});
    if (!parsed.success) throw invalid(parsed.error, input);
    const dryRun = parsed.data.dry_run === true;
    if (needsConfirmation(parsed.data, context)) {
      throw new AgentError("CONFIRMATION_NEEDED", `${name} has to be confirmed.`, {
        hint: "Ask the person, then call again with confirm=true.",
      });
    }
    const { text, structured } = await spec.run(parsed.data, context, {
      signal: call.signal,
      progress: call.progress,
      change: async (plan) => {
        const outcome = await context.transactions.change({
          tool: name,
          dryRun,
          signal: call.signal,
          plan,
        });
        note(outcome.changed);
        return outcome;
      },
    });
    return { text, structured: structured as Record<string, unknown>, dryRun };
  }

  function needsConfirmation(data: Record<string, unknown>, { confirm }: ToolContext): boolean {
    return "confirm" in data && confirm === "require" && !data.confirm && !data.dry_run;
  }

  return {
    definition: {
      name,
      title,
      description,
      group,
      // Made when they are asked for: a compiled executable has them written down.
      get inputSchema() {
        return z.toJSONSchema(input, { io: "input" }) as Record<string, unknown>;
      },
      get outputSchema() {
        return z.toJSONSchema(output, { io: "output" }) as Record<string, unknown>;
      },
      annotations: hints,
      deadlineMs: spec.deadlineMs ?? DEFAULT_DEADLINE_MS,
      deadlineFromTimeout: spec.deadlineFromTimeout ?? false,
    },
    async run(args, context, call) {
      const start = performance.now();
      const changed: string[] = [];
      const record = async (code: string, more: { message?: string; changed?: string[] }) => {
        const ms = Math.round(performance.now() - start);
        const { transport, who, address, client } = call.caller;
        const by = [who, client && `(${client})`, address].filter(Boolean).join(" ");
        // In the shell whoever called sees the answer right below.
        const write = writes && transport !== "shell" ? log.info : log.debug;
        write(`${name} ${code} in ${ms} ms, by ${by}`);
        if (!writes) return;
        await context.audit({
          tool: name,
          args: bounded(args),
          caller: call.caller,
          ...isAnswer(call.verdict) && { answer: call.verdict },
          code,
          ...more,
          ms,
        });
      };
      try {
        const { dryRun, ...result } = await checked(args, context, call, (c) => changed.push(...c));
        // A dry run for a question is no call, unless it is refused: then nobody is asked.
        if (call.verdict !== "preview") {
          await record("OK", dryRun ? {} : { changed: whatChanged(changed, result.text) });
        }
        return result;
      } catch (cause) {
        const error = AgentError.from(cause);
        await record(error.code, { message: error.message });
        throw error;
      }
    },
  };
}

/** A person's, to the question whether to go on. */
const isAnswer = (verdict: ToolCall["verdict"]): verdict is AuditRecord["answer"] & string =>
  verdict === "accepted" || verdict === "declined" || verdict === "unanswered";

/** What changed no domain and no server says so in its first line. */
export function whatChanged(lines: readonly string[], text: string): string[] {
  if (lines.length === 0) return [text.split("\n")[0]];
  const more = lines.length - MAX_CHANGED;
  return more > 0 ? [...lines.slice(0, MAX_CHANGED), `… and ${more} more`] : [...lines];
}

const MAX_CHANGED = 50;

/** What a caller sends may be a megabyte of nonsense: the audit log keeps so much of it. */
const MAX_AUDITED = 12_000;

function bounded(args: unknown): unknown {
  const length = JSON.stringify(args ?? {}).length;
  return length > MAX_AUDITED ? `${length} characters` : args;
}

/** Zod's findings in our words: the first one as the message, the tool's parameters as the hint. */
export function invalid(
  error: z.ZodError,
  input: z.ZodObject,
  above: readonly PropertyKey[] = [],
): AgentError {
  const issues = error.issues.map((issue) => sentence(issue, above));
  return new AgentError("VALIDATION", `${issues[0]}.`, {
    hint: `Parameters: ${Object.keys(input.shape).join(", ") || "none"}.`,
    details: { issues },
  });
}

function sentence(issue: z.core.$ZodIssue, above: readonly PropertyKey[]): string {
  const path = [...above, ...issue.path];
  const place = path.map((step, i) =>
    typeof step === "number" ? `[${step}]` : `${i ? "." : ""}${String(step)}`
  )
    .join("");
  if (issue.code === "unrecognized_keys") {
    return `${place ? `${place}: ` : ""}there is no parameter ${issue.keys.join(", ")}`;
  }
  if (issue.code === "invalid_union") {
    // Of several forms, the one that the value came close to has more to say than that none fits.
    const close = issue.errors.find(([first]) =>
      first.path.length > 0 || first.code !== "invalid_type"
    );
    if (close) return sentence(close[0], path);
  }
  return `${place || "the arguments"} ${issue.message}`;
}
