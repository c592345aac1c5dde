/**
 * A person's word before a tool acts that wants it. A client of the 2026-07-28 era gets the question for an answer
 * (input_required), and calls again with what its person said: the call is entered twice. An older one is asked while its
 * call waits (elicitation/create). Until then the tools room runs no more than a dry run, whose lines stand in the question.
 */
import {
  type ElicitRequestFormParams,
  type ElicitResult,
  inputRequired,
  type InputRequiredResult,
  inputResponse,
  type RequestStateCodec,
} from "@modelcontextprotocol/server";
import type { Confirm } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import {
  type ToolCall,
  type ToolDefinition,
  type ToolResult,
  wantsConfirmation,
} from "../../tool_definition.ts";
import { log } from "../../log.ts";
import { type Asked, canAsk, isStateless } from "./asked.ts";

/** What was asked. It comes back from the client, signed, and holds for this tool with these arguments, for ten minutes. */
export interface Question {
  readonly tool: string;
  readonly args: string;
}

interface Confirming {
  readonly definition: ToolDefinition;
  readonly args: Readonly<Record<string, unknown>>;
  readonly asked: Asked;
  readonly codec: RequestStateCodec<Question>;
  readonly settings: { readonly confirm: Confirm };
  readonly run: (call: Pick<ToolCall, "args" | "verdict">) => Promise<ToolResult>;
}

export type Decision =
  /** Go on; with a verdict where a person said so. */
  | { readonly verdict?: "accepted" }
  | { readonly ask: InputRequiredResult };

const KEY = "confirm";
/** How long a person has to answer while the call waits. */
const ANSWER_MS = 600_000;

/**
 * Throws CANCELLED where the person declined or was not reached, and what the tool refuses before anybody is asked. Where
 * the client can show no question the tool itself says whether `confirm=true` is needed.
 */
export async function confirmed(options: Confirming): Promise<Decision> {
  const { definition, args, asked, settings } = options;
  const isFree = settings.confirm === "off" || !wantsConfirmation(definition) ||
    args.dry_run === true || !canAsk(asked);
  if (isFree) return {};
  return isStateless(asked) ? await answeredBefore(options) : await answeredNow(options);
}

/** The question is the call's answer, unless the call brings its answer along. */
async function answeredBefore(options: Confirming): Promise<Decision> {
  const { definition, args, asked, codec } = options;
  const { mcpReq } = asked.context;
  const question: Question = { tool: definition.name, args: spelled(args) };
  const state = mcpReq.requestState<Question>() as Question | undefined;
  const answer = inputResponse(mcpReq.inputResponses, KEY);
  if (
    answer.kind === "elicit" && state?.tool === question.tool && state.args === question.args
  ) {
    return isYes(answer) ? { verdict: "accepted" } : await cancelled(options, "declined");
  }
  const elicit = inputRequired.elicit(await formOf(options));
  return {
    ask: inputRequired({
      inputRequests: { [KEY]: elicit },
      requestState: await codec.mint(question, asked.context),
    }),
  };
}

/** The client is asked on the call's own stream. */
async function answeredNow(options: Confirming): Promise<Decision> {
  const { connection: { server }, context: { mcpReq } } = options.asked;
  const params = { mode: "form", ...await formOf(options) } as const;
  let answer: ElicitResult;
  try {
    answer = await server.request({ method: "elicitation/create", params }, {
      relatedRequestId: mcpReq.id,
      signal: mcpReq.signal,
      timeout: ANSWER_MS,
      resetTimeoutOnProgress: true,
    });
  } catch (cause) {
    log.debug(`MCP: the question was not answered: ${(cause as Error).message}`);
    return await cancelled(options, "unanswered");
  }
  return isYes(answer) ? { verdict: "accepted" } : await cancelled(options, "declined");
}

const isYes = (
  { action, content }: { readonly action: string; readonly content?: Record<string, unknown> },
): boolean => action === "accept" && content?.[KEY] === true;

/** Throws CANCELLED, once it is in the audit log. */
async function cancelled(
  { run, args }: Confirming,
  verdict: "declined" | "unanswered",
): Promise<never> {
  await run({ args, verdict });
  throw new AgentError("CANCELLED", "It was not confirmed.");
}

async function formOf(
  { definition, args, run }: Confirming,
): Promise<Pick<ElicitRequestFormParams, "message" | "requestedSchema">> {
  const { text } = await run({ args: { ...args, dry_run: true }, verdict: "preview" });
  return {
    message: `${definition.title}? ${shortened(text)}`,
    requestedSchema: {
      type: "object",
      properties: {
        [KEY]: { type: "boolean", title: "Do it", description: "No changes nothing." },
      },
      required: [KEY],
    },
  };
}

/** The same for the same arguments, in whatever order they came. */
const spelled = (args: Readonly<Record<string, unknown>>) =>
  JSON.stringify(Object.entries(args).sort(([a], [b]) => a < b ? -1 : 1));

const MAX_LINES = 20;

/** A person reads the first lines. */
function shortened(text: string): string {
  const lines = text.replace(/^Dry run, nothing was changed\. /, "").split("\n");
  const more = lines.length - MAX_LINES;
  return more > 0
    ? [...lines.slice(0, MAX_LINES), `… and ${more} more`].join("\n")
    : lines.join("\n");
}
