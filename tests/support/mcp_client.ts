/** A real MCP client, of either protocol era, and the tools as it sees them. */
import assert from "node:assert/strict";
import { Client, type ClientCapabilities, type Transport } from "@modelcontextprotocol/client";
import type { AgentErrorData } from "../../lib/errors.ts";
import type { ToolResult } from "../../lib/tool_definition.ts";

export const ERAS = ["2025", "2026"] as const;
export type Era = typeof ERAS[number];

export function newClient(era: Era, capabilities: ClientCapabilities = {}): Client {
  return new Client({ name: "test-client", version: "1" }, {
    capabilities,
    versionNegotiation: { mode: era === "2025" ? "legacy" : { pin: "2026-07-28" } },
  });
}

export type Answer =
  | { readonly ok: true; readonly result: ToolResult }
  | { readonly ok: false; readonly error: AgentErrorData };

export interface ToolCaller extends AsyncDisposable {
  readonly client: Client;
  /** Calls `haproxy_NAME`. Rejects where the protocol, not the tool, says no. */
  ask(name: string, args?: object, signal?: AbortSignal): Promise<Answer>;
  /** A call that has to succeed. */
  call(name: string, args?: object): Promise<ToolResult>;
  /** A call that the tool has to refuse. */
  refused(name: string, args?: object): Promise<AgentErrorData>;
}

/** Connects and lists the tools: from then on the client checks each result against its schema. */
export async function connectCaller(transport: Transport, era: Era): Promise<ToolCaller> {
  const client = newClient(era);
  await client.connect(transport);
  await client.listTools();

  async function ask(name: string, args: object = {}, signal?: AbortSignal): Promise<Answer> {
    const { content, structuredContent, isError, _meta } = await client.callTool({
      name: `haproxy_${name}`,
      arguments: args as Record<string, unknown>,
    }, signal && { signal });
    assert.equal(content.length, 1);
    const [block] = content;
    assert.ok(block.type === "text");
    if (!isError) {
      const structured = structuredContent as ToolResult["structured"];
      return { ok: true, result: { text: block.text, structured } };
    }
    const error = _meta?.["haproxy-mcp/error"] as AgentErrorData;
    const hint = error.hint === undefined ? "" : ` Hint: ${error.hint}`;
    assert.equal(block.text, `Error: ${error.message}${hint}`);
    assert.equal(structuredContent, undefined);
    return { ok: false, error };
  }

  return {
    client,
    ask,
    async call(name, args) {
      const answer = await ask(name, args);
      if (answer.ok) return answer.result;
      throw new Error(`haproxy_${name} refused: ${JSON.stringify(answer.error)}`);
    },
    async refused(name, args) {
      const answer = await ask(name, args);
      if (!answer.ok) return answer.error;
      throw new Error(`haproxy_${name} did it: ${answer.result.text}`);
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}
