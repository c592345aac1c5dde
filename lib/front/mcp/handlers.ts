/** What clients may ask, method by method. Test builds lay their fixtures over it. */
import type {
  CallToolRequest,
  CallToolResult,
  CompleteRequest,
  CompleteResult,
  EmptyResult,
  GetPromptRequest,
  GetPromptResult,
  InputRequiredResult,
  ListPromptsResult,
  ListResourcesRequest,
  ListResourcesResult,
  ListResourceTemplatesResult,
  ListToolsResult,
  ReadResourceRequest,
  ReadResourceResult,
  SubscribeRequest,
  UnsubscribeRequest,
} from "@modelcontextprotocol/server";
import type { Asked } from "./asked.ts";

type Handler<Request, Result> = (request: Request, asked: Asked) => Result | Promise<Result>;

export interface McpHandlers {
  readonly "tools/list": Handler<unknown, ListToolsResult>;
  readonly "tools/call": Handler<CallToolRequest, CallToolResult | InputRequiredResult>;
  readonly "resources/list": Handler<ListResourcesRequest, ListResourcesResult>;
  readonly "resources/templates/list": Handler<unknown, ListResourceTemplatesResult>;
  readonly "resources/read": Handler<ReadResourceRequest, ReadResourceResult>;
  readonly "resources/subscribe": Handler<SubscribeRequest, EmptyResult>;
  readonly "resources/unsubscribe": Handler<UnsubscribeRequest, EmptyResult>;
  readonly "prompts/list": Handler<unknown, ListPromptsResult>;
  readonly "prompts/get": Handler<GetPromptRequest, GetPromptResult | InputRequiredResult>;
  readonly "completion/complete": Handler<CompleteRequest, CompleteResult>;
}
