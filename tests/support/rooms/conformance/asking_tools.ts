/**
 * Tools that ask with a signed state which comes back with the answer. The state is the product's own: its server
 * refuses every other one before a handler is entered, so a call that asks (signing_tool.ts) is made for each.
 */
import { type InputRequest, inputRequired, inputResponse } from "@modelcontextprotocol/server";
import type { Asked } from "../../../../lib/front/mcp/asked.ts";
import type { McpHandlers } from "../../../../lib/front/mcp/handlers.ts";
import type { FrontTool } from "../front_tools.ts";
import { result, text } from "./content.ts";
import { form, NAME_FORM, question } from "./elicitation_tools.ts";
import { SIGNING_TOOL } from "./signing_tool.ts";
import { fixture } from "./tool.ts";

type Questions = Readonly<Record<string, InputRequest>>;

export function askingTools(product: McpHandlers): readonly FrontTool[] {
  async function sign(step: string, asked: Asked): Promise<string> {
    const params = { name: SIGNING_TOOL, arguments: { step } };
    const answer = await product["tools/call"]({ method: "tools/call", params }, asked);
    if (typeof answer.requestState === "string") return answer.requestState;
    throw new Error(`No question was asked: ${JSON.stringify(answer)}`);
  }

  const ask = async (step: string, inputRequests: Questions, asked: Asked) =>
    inputRequired({ inputRequests, requestState: await sign(step, asked) });

  const asksAll = (inputRequests: Questions, said: string): FrontTool["run"] => (_args, asked) =>
    hasAll("all", inputRequests, asked) ? result(text(said)) : ask("all", inputRequests, asked);

  const name = { step1: form("Step 1: What is your name?", { name: { type: "string" } }) };
  const color = {
    step2: form("Step 2: What is your favorite color?", { color: { type: "string" } }),
  };

  return [
    fixture(
      "test_input_required_result_request_state",
      "Asks, and wants its state back.",
      asksAll({ confirm: form("Please confirm", { ok: { type: "boolean" } }) }, "state-ok"),
    ),
    fixture(
      "test_input_required_result_multiple_inputs",
      "Asks three things at once.",
      asksAll({
        user_name: NAME_FORM,
        greeting: question("Generate a greeting", 50),
        client_roots: inputRequired.listRoots(),
      }, "All answers came."),
    ),
    fixture(
      "test_input_required_result_multi_round",
      "Asks twice, one after the other.",
      (_args, asked) => {
        if (hasAll("step2", color, asked)) return result(text("Thank you."));
        return hasAll("step1", name, asked)
          ? ask("step2", color, asked)
          : ask("step1", name, asked);
      },
    ),
  ];
}

/** The step in the state that came with the call; lib/front/mcp/confirmation.ts spells it. */
function stepIn({ context }: Asked): string | undefined {
  const args = context.mcpReq.requestState<{ readonly args: string }>()?.args;
  return args && Object.fromEntries(JSON.parse(args)).step;
}

/** All questions of the step have been answered. */
const hasAll = (step: string, questions: Questions, asked: Asked): boolean =>
  stepIn(asked) === step &&
  Object.keys(questions).every((key) =>
    inputResponse(asked.context.mcpReq.inputResponses, key).kind !== "missing"
  );
