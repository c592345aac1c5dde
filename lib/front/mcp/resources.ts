/** Resources: what the tools room's table offers, read there; and who is subscribed to what. */
import { ProtocolError, ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { FrontSettings } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { logWithin } from "../../log.ts";
import type { ResourceDefinition, ResourcePage, ResourceText } from "../../resource_definition.ts";
import type { ToolsClient } from "../tools_client.ts";
import type { Asked } from "./asked.ts";
import type { McpHandlers } from "./handlers.ts";
import { GROUP_ICONS } from "./icons.ts";

interface ResourceHandlersOptions {
  readonly settings: Pick<FrontSettings, "toolsets">;
  readonly resources: readonly ResourceDefinition[];
  readonly tools: Pick<ToolsClient, "read">;
}

/** A session subscribes to so many at most. */
const MAX_SUBSCRIBED = 1_000;
/** The specification's code for a resource that is not there, until the 2026-07-28 revision. */
const RESOURCE_NOT_FOUND = -32002;

type ResourceMethod = Extract<keyof McpHandlers, `resources/${string}`>;

export function resourceHandlers(
  { settings, resources, tools }: ResourceHandlersOptions,
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
    const { context, requestId } = asked;
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
      return { resources: [...resources], ...(nextCursor && { nextCursor }) };
    },

    "resources/templates/list": () => ({ resourceTemplates: templates }),

    async "resources/read"({ params: { uri } }, asked) {
      const { mimeType, text } = await ask<ResourceText>("resources/read", { groups, uri }, asked);
      return { contents: [{ uri, mimeType, text }] };
    },

    "resources/subscribe"({ params: { uri } }, { connection: { subscribed } }) {
      if (subscribed.size >= MAX_SUBSCRIBED && !subscribed.has(uri)) {
        throw new ProtocolError(
          ProtocolErrorCode.InvalidRequest,
          `A session subscribes to ${MAX_SUBSCRIBED} resources at most.`,
        );
      }
      subscribed.add(uri);
      return {};
    },

    "resources/unsubscribe"({ params: { uri } }, { connection: { subscribed } }) {
      subscribed.delete(uri);
      return {};
    },
  };
}

function toListed({ group, ...listed }: ResourceDefinition & { readonly uriTemplate: string }) {
  return { ...listed, icons: [GROUP_ICONS[group]] };
}

function toProtocolError(
  error: AgentError,
  more: { readonly uri?: string; readonly request_id: string },
): ProtocolError {
  const code = error.code === "NOT_FOUND"
    ? RESOURCE_NOT_FOUND
    : error.code === "VALIDATION"
    ? ProtocolErrorCode.InvalidParams
    : ProtocolErrorCode.InternalError;
  const message = `${error.message}${error.hint ? ` ${error.hint}` : ""}`;
  return new ProtocolError(code, message, { ...error.toData(), ...more });
}
