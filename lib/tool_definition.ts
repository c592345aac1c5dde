/** A tool as it crosses rooms: plain data. The table behind it is tools/mod.ts. */

/** The six groups, in the README's order. Also the names that MCP_TOOLSETS takes. */
export const TOOL_GROUPS = [
  "domains",
  "servers",
  "health",
  "monitoring",
  "configuration",
  "certificates",
] as const;
export type ToolGroup = typeof TOOL_GROUPS[number];

/** MCP's hints about a tool's effects (ToolAnnotations of the specification). */
export interface ToolHints {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/** A tool as it crosses to the front room and the shell: plain data. */
export interface ToolDefinition {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly group: ToolGroup;
  /** JSON Schema (2020-12) of the arguments, as a client sends them. */
  readonly inputSchema: Record<string, unknown>;
  /** JSON Schema of structuredContent. */
  readonly outputSchema: Record<string, unknown>;
  readonly annotations: ToolHints;
  /** What the caller waits before it aborts the call, in milliseconds. */
  readonly deadlineMs: number;
  /** For tools whose own argument `timeout` (seconds) says how long they run: the deadline is that plus 5 s. */
  readonly deadlineFromTimeout: boolean;
}

/** What a tool answers: a text for people and the data that its outputSchema describes. Refusals are thrown as AgentError. */
export interface ToolResult {
  readonly text: string;
  readonly structured: Record<string, unknown>;
}

/** Who calls: for the audit log, never for a decision. */
export interface Caller {
  readonly transport: "http" | "stdio" | "shell" | "none";
  /** The token's place in the token file, an OAuth subject, `trusted network`, or the user of a local process. */
  readonly who: string;
  /** The socket's, by HTTP. */
  readonly address?: string;
  /** The client's own name for itself. */
  readonly client?: string;
  /** In the log, in errors, in the audit log. */
  readonly requestId?: string;
}

/** A call as it crosses to the tools room, under the tool's name; `args` are the caller's, unchecked. */
export interface ToolCall {
  readonly args: unknown;
  readonly caller: Caller;
  /**
   * preview: a dry run, for the question that a person is asked; accepted, declined: their answer to it; unanswered: there
   * came none; refused: the caller's access only reads. The last three do nothing but stand in the audit log.
   */
  readonly verdict?: "preview" | "accepted" | "declined" | "unanswered" | "refused";
}

/** A tool that wants a person's word: it has the parameter `confirm`. */
export const wantsConfirmation = ({ inputSchema: { properties } }: ToolDefinition): boolean =>
  Object.hasOwn((properties ?? {}) as object, "confirm");
