/** A tool in the table: its data (name, hints, schemas, deadline) and its handler. One zod schema is the validation, the JSON Schema and the type. */
import { z } from "zod";
import type { CallContext } from "../lib/rpc/mod.ts";
import type { ToolGroup, ToolHints } from "../lib/tool_definition.ts";

export interface ToolSpec<Context, Input extends z.ZodType, Output extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly group: ToolGroup;
  readonly hints: ToolHints;
  readonly input: Input;
  readonly output: Output;
  readonly deadlineMs?: number;
  readonly deadlineFromTimeout?: boolean;
  run(
    input: z.output<Input>,
    context: Context,
    call: CallContext,
  ): Promise<{ readonly text: string; readonly structured: z.input<Output> }>;
}
