/**
 * A person's word before a tool acts that wants it. The call is entered twice: first it answers the question (the 2026-07-28
 * era's input_required; the SDK makes an elicitation of it for older clients), then it comes again with the answer.
 * Until then the tools room runs no more than a dry run, whose lines stand in the question.
 */
import {
  inputRequired,
  type InputRequiredResult,
  inputResponse,
  type RequestStateCodec,
} from "@modelcontextprotocol/server";
import type { Confirm } from "../../config.ts";
import {
  type ToolCall,
  type ToolDefinition,
  type ToolResult,
  wantsConfirmation,
} from "../../tool_definition.ts";
import { type Asked, canAsk } from "./asked.ts";

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
  | { readonly args: Readonly<Record<string, unknown>> }
  | { readonly ask: InputRequiredResult };

const KEY = "confirm";

/**
 * Throws CANCELLED where the person declined, and what the tool refuses before anybody is asked. Where the client can
 * show no question the tool itself says whether `confirm=true` is needed.
 */
export async function confirmed(options: Confirming): Promise<Decision> {
  const { definition, args, asked, codec, settings, run } = options;
  const isFree = settings.confirm === "off" || !wantsConfirmation(definition) ||
    args.dry_run === true || !canAsk(asked);
  if (isFree) return { args };

  const { mcpReq } = asked.context;
  const question: Question = { tool: definition.name, args: spelled(args) };
  const state = mcpReq.requestState<Question>() as Question | undefined;
  const answer = inputResponse(mcpReq.inputResponses, KEY);
  if (
    answer.kind === "elicit" && state?.tool === question.tool && state.args === question.args
  ) {
    const isYes = answer.action === "accept" && answer.content?.[KEY] === true;
    if (isYes) return { args: { ...args, confirm: true } };
    // Throws CANCELLED, once it is in the audit log.
    await run({ args, verdict: "declined" });
  }

  const { text } = await run({ args: { ...args, dry_run: true }, verdict: "preview" });
  return {
    ask: inputRequired({
      inputRequests: {
        [KEY]: inputRequired.elicit({
          message: `${definition.title}? ${shortened(text)}`,
          requestedSchema: {
            type: "object",
            properties: {
              [KEY]: { type: "boolean", title: "Do it", description: "No changes nothing." },
            },
            required: [KEY],
          },
        }),
      },
      requestState: await codec.mint(question, asked.context),
    }),
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
