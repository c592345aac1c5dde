/** A tool that the product itself asks about, as it does before a removal: in the tools room, and without HAProxy. */
import * as z from "zod";
import { READS, tool } from "../../../../tools/tool.ts";

export const SIGNING_TOOL = "test_input_required_result_tampered_state";

export const signingTool = tool({
  name: SIGNING_TOOL,
  title: "Do nothing",
  description: "Wants a person's word, and does nothing.",
  group: "health",
  hints: READS,
  input: z.object({
    step: z.string().default(""),
    dry_run: z.boolean().default(false),
    confirm: z.boolean().default(false),
  }),
  output: z.object({ step: z.string() }),
  run: ({ step }) => Promise.resolve({ text: "Nothing was done.", structured: { step } }),
});
