/** Prompts: of a text, with arguments, with a resource, with an image, and one that asks. */
import {
  acceptedContent,
  type ContentBlock,
  type GetPromptResult,
  inputRequired,
  type InputRequiredResult,
  type ListPromptsResult,
} from "@modelcontextprotocol/server";
import type { Asked } from "../../../../lib/front/mcp/asked.ts";
import type { McpHandlers } from "../../../../lib/front/mcp/handlers.ts";
import { embedded, image, text } from "./content.ts";
import { form } from "./elicitation_tools.ts";

interface FixturePrompt {
  readonly listed: ListPromptsResult["prompts"][number];
  get(
    args: Readonly<Record<string, string>>,
    asked: Asked,
  ): GetPromptResult | InputRequiredResult;
}

const messages = (...content: readonly ContentBlock[]): GetPromptResult => ({
  messages: content.map((content) => ({ role: "user", content })),
});

const prompt = (
  name: string,
  args: readonly string[],
  get: FixturePrompt["get"],
): FixturePrompt => ({
  listed: {
    name,
    description: `The fixture ${name}.`,
    arguments: args.map((name) => ({ name, description: `The ${name}.`, required: true })),
  },
  get,
});

const PROMPTS: readonly FixturePrompt[] = [
  prompt("test_simple_prompt", [], () => messages(text("This is a simple prompt for testing."))),
  prompt(
    "test_prompt_with_arguments",
    ["arg1", "arg2"],
    ({ arg1, arg2 }) => messages(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  ),
  prompt(
    "test_prompt_with_embedded_resource",
    ["resourceUri"],
    ({ resourceUri }) =>
      messages(
        embedded(resourceUri, "text/plain", "Embedded resource content for testing."),
        text("Please process the embedded resource above."),
      ),
  ),
  prompt(
    "test_prompt_with_image",
    [],
    () => messages(image, text("Please analyze the image above.")),
  ),
  prompt("test_input_required_result_prompt", [], (_args, { context }) => {
    const key = "user_context";
    const said = acceptedContent(context.mcpReq.inputResponses, key);
    return said ? messages(text(`Prompt with context: ${said.context}`)) : inputRequired({
      inputRequests: {
        [key]: form("What context should the prompt use?", { context: { type: "string" } }),
      },
    });
  }),
];

export function withFixturePrompts(product: McpHandlers): McpHandlers {
  return {
    ...product,
    async "prompts/list"(request, asked) {
      const page = await product["prompts/list"](request, asked);
      return { ...page, prompts: [...page.prompts, ...PROMPTS.map(({ listed }) => listed)] };
    },
    "prompts/get"(request, asked) {
      const { name, arguments: args = {} } = request.params;
      const prompt = PROMPTS.find(({ listed }) => listed.name === name);
      return prompt ? prompt.get(args, asked) : product["prompts/get"](request, asked);
    },
    "completion/complete"(request, asked) {
      const { ref, argument: { value } } = request.params;
      const isOurs = "name" in ref && PROMPTS.some(({ listed }) => listed.name === ref.name);
      if (!isOurs) return product["completion/complete"](request, asked);
      return { completion: { values: [`${value}1`, `${value}2`], total: 2, hasMore: false } };
    },
  };
}
