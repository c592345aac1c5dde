/** Resources: what the tools room's table offers, read there; and who is subscribed to what. */
import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { FrontSettings } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { logWithin } from "../../log.ts";
import {
  type ResourceDefinition,
  type ResourcePage,
  type ResourceText,
  variableIn,
} from "../../resource_definition.ts";
import type { ToolGroup } from "../../tool_definition.ts";
import type { ToolsClient } from "../tools_client.ts";
import type { Asked } from "./asked.ts";
import type { Changes } from "./changes.ts";
import type { McpHandlers } from "./handlers.ts";
import { GROUP_ICONS } from "./icons.ts";
import { invalidParams } from "./rpc_error.ts";

interface ResourceHandlersOptions {
  readonly settings: Pick<FrontSettings, "toolsets">;
  readonly resources: readonly ResourceDefinition[];
  readonly tools: Pick<ToolsClient, "read">;
  readonly changes: Pick<Changes, "subscribe" | "unsubscribe">;
}

/** A session, or a stream of subscriptions/listen, subscribes to so many at most. */
export const MAX_SUBSCRIBED = 500;
/** Longer than that of any domain. */
const MAX_URI = 512;

type ResourceMethod = Extract<keyof McpHandlers, `resources/${string}`>;

export function resourceHandlers(
  { settings, resources, tools, changes }: ResourceHandlersOptions,
): Pick<McpHandlers, ResourceMethod> {
  const offered = resources.filter(({ group }) => settings.toolsets.includes(group));
  const groups = [...settings.toolsets];
  const templates = offered.flatMap((each) => "uriTemplate" in each ? [toListed(each)] : []);

  /** The tools room's answer, or its refusal as a protocol error: there is no result that could carry it. */
  async function ask<T>(
    name: string,
    args: { readonly groups: readonly string[]; readonly uri?: string },
    asked: Asked,
  ): Promise<T> {
    const { context, caller: { requestId } } = asked;
    try {
      return await logWithin(
        requestId,
        () => tools.read<T>(name, args, { signal: context.mcpReq.signal }),
      );
    } catch (cause) {
      throw toProtocolError(AgentError.from(cause), { uri: args.uri, request_id: requestId });
    }
  }

  return {
    async "resources/list"({ params }, asked) {
      const args = { groups, cursor: params?.cursor ?? "" };
      const { resources, nextCursor } = await ask<ResourcePage>("resources/list", args, asked);
      return { resources: resources.map(toListed), ...(nextCursor && { nextCursor }) };
    },

    "resources/templates/list": () => ({ resourceTemplates: templates }),

    async "resources/read"({ params: { uri } }, asked) {
      const { mimeType, text } = await ask<ResourceText>("resources/read", { groups, uri }, asked);
      return { contents: [{ uri, mimeType, text }] };
    },

    "resources/subscribe"({ params: { uri } }, { connection }) {
      const { subscribed } = connection;
      if (subscribed.size >= MAX_SUBSCRIBED && !subscribed.has(uri)) {
        throw invalidParams(`A session subscribes to ${MAX_SUBSCRIBED} resources at most.`);
      }
      // Whether or not there is such a domain: it may come.
      const isOffered = offered.some((each) => variableIn(each, uri) !== undefined);
      if (uri.length > MAX_URI || !isOffered) {
        throw invalidParams(`There is no resource ${JSON.stringify(uri.slice(0, 300))}.`);
      }
      changes.subscribe(connection, uri);
      return {};
    },

    "resources/unsubscribe"({ params: { uri } }, { connection }) {
      changes.unsubscribe(connection, uri);
      return {};
    },
  };
}

function toListed<T extends { readonly group: ToolGroup }>({ group, ...listed }: T) {
  return { ...listed, icons: [GROUP_ICONS[group]] };
}

function toProtocolError(
  error: AgentError,
  more: { readonly uri?: string; readonly request_id: string },
): ProtocolError {
  const isCallers = error.code === "NOT_FOUND" || error.code === "VALIDATION";
  const code = isCallers ? ProtocolErrorCode.InvalidParams : ProtocolErrorCode.InternalError;
  const message = `${error.message}${error.hint ? ` ${error.hint}` : ""}`;
  return new ProtocolError(code, message, { ...error.toData(), ...more });
}
