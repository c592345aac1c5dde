/**
 * Tools that ask the client once, and answer with what it said: a form for the person, a completion of the model, the
 * roots. The answer comes with the second call, which the SDK makes itself for the clients before 2026-07-28.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type ElicitRequestFormParams,
  type InputRequest,
  inputRequired,
  inputResponse,
  type InputResponseView,
} from "@modelcontextprotocol/server";
import type { FrontTool } from "../front_tools.ts";
import { result, text } from "./content.ts";
import { fixture } from "./tool.ts";

type Properties = ElicitRequestFormParams["requestedSchema"]["properties"];

export const form = (
  message: string,
  properties: Properties,
  required = Object.keys(properties),
): InputRequest =>
  inputRequired.elicit({ message, requestedSchema: { type: "object", properties, required } });

export const question = (question: string, maxTokens: number): InputRequest =>
  inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: question } }],
    maxTokens,
  });

export const NAME_FORM = form("What is your name?", { name: { type: "string" } });

type Request = (args: Readonly<Record<string, unknown>>) => InputRequest;

/** Asks under the key until an answer of that kind is there, which becomes the result's text. */
function asksOnce<Kind extends "elicit" | "sampling" | "roots">(
  key: string,
  kind: Kind,
  request: Request,
  say: (answer: Extract<InputResponseView, { kind: Kind }>) => string,
): FrontTool["run"] {
  return (args, { context }) => {
    const answer = inputResponse(context.mcpReq.inputResponses, key);
    return answer.kind === kind
      ? result(text(say(answer as Extract<InputResponseView, { kind: Kind }>)))
      : inputRequired({ inputRequests: { [key]: request(args) } });
  };
}

const textArgument = (name: string) => ({
  properties: { [name]: { type: "string" } },
  required: [name],
});

type Elicited = Extract<InputResponseView, { kind: "elicit" }>;
const completed = ({ action, content = {} }: Elicited) =>
  `Elicitation completed: action=${action}, content=${JSON.stringify(content)}`;

const titled = (...titles: readonly string[]) =>
  titles.map((title, index) => ({ const: `value${index + 1}`, title }));

const OPTIONS = ["option1", "option2", "option3"];

export const elicitationTools = [
  fixture(
    "test_elicitation",
    "Asks for a name and an address.",
    asksOnce(
      "user",
      "elicit",
      ({ message }) =>
        form(String(message), {
          username: { type: "string", description: "User's response" },
          email: { type: "string", description: "User's email address" },
        }),
      ({ action, content = {} }) =>
        `User response: action: ${action}, content: ${JSON.stringify(content)}`,
    ),
    textArgument("message"),
  ),
  fixture(
    "test_elicitation_sep1034_defaults",
    "Asks with a default of each type.",
    asksOnce("defaults", "elicit", () =>
      form("Review and update the form.", {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      }, []), completed),
  ),
  fixture(
    "test_elicitation_sep1330_enums",
    "Asks for a choice of each kind.",
    asksOnce("choices", "elicit", () =>
      form("Choose.", {
        untitledSingle: { type: "string", enum: OPTIONS },
        titledSingle: {
          type: "string",
          oneOf: titled("First Option", "Second Option", "Third Option"),
        },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti: { type: "array", items: { type: "string", enum: OPTIONS } },
        titledMulti: {
          type: "array",
          items: { anyOf: titled("First Choice", "Second Choice", "Third Choice") },
        },
      }, []), completed),
  ),
  fixture(
    "test_sampling",
    "Asks the client's model.",
    asksOnce(
      "sample",
      "sampling",
      ({ prompt }) => question(String(prompt), 100),
      ({ result }) => `LLM response: ${JSON.stringify(result.content)}`,
    ),
    textArgument("prompt"),
  ),

  fixture(
    "test_input_required_result_elicitation",
    "Asks for a name.",
    asksOnce(
      "user_name",
      "elicit",
      () => NAME_FORM,
      ({ content }) => `Hello, ${content?.name}!`,
    ),
  ),
  fixture(
    "test_input_required_result_sampling",
    "Asks the client's model for a capital.",
    asksOnce(
      "capital_question",
      "sampling",
      () => question("What is the capital of France?", 100),
      ({ result }) => JSON.stringify(result.content),
    ),
  ),
  fixture(
    "test_input_required_result_list_roots",
    "Asks for the client's roots.",
    asksOnce(
      "client_roots",
      "roots",
      inputRequired.listRoots,
      ({ roots }) => `Roots: ${roots.map(({ uri }) => uri).join(", ")}`,
    ),
  ),
  fixture(
    "test_streaming_elicitation",
    "Asks, and sends no request of its own beside.",
    asksOnce("user_name", "elicit", () => NAME_FORM, completed),
  ),
  fixture(
    "test_missing_capability",
    "Asks the client's model, and is refused where the client has none.",
    asksOnce("sample", "sampling", () => question("Are you there?", 10), () => "It is there."),
  ),
  fixture(
    "test_input_required_result_capabilities",
    "Asks only what the client said it can do.",
    (_args, { context }) => {
      const envelope = context.mcpReq.envelope as
        | { readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities }
        | undefined;
      const can = envelope?.[CLIENT_CAPABILITIES_META_KEY] ?? {};
      return inputRequired({
        inputRequests: {
          ...(can.elicitation && { user_name: NAME_FORM }),
          ...(can.sampling && { greeting: question("Generate a greeting", 50) }),
          ...(can.roots && { client_roots: inputRequired.listRoots() }),
        },
      });
    },
  ),
];
