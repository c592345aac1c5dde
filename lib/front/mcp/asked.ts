/** A request of an MCP client on its way to the handler: who asks, on which connection. */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  type ClientCapabilities,
  type Implementation,
  type Server,
  type ServerContext,
} from "@modelcontextprotocol/server";
import type { Access } from "../../config.ts";
import { newRequestId } from "../../log.ts";
import type { Caller } from "../../tool_definition.ts";
import { accessIn, admittedIn } from "../access/principal.ts";

/** A session, or stdio's one connection; in the 2026-07-28 era over HTTP it lives for one request. */
export interface Connection {
  readonly server: Server;
  /** URIs of resources/subscribe, kept by Changes; the 2026-07-28 era has subscriptions/listen instead. */
  readonly subscribed: Set<string>;
}

export interface Asked {
  readonly context: ServerContext;
  readonly connection: Connection;
  readonly access: Access;
  readonly caller: Caller & { readonly requestId: string };
}

export function asked(
  transport: Caller["transport"],
  connection: Connection,
  context: ServerContext,
): Asked {
  const admitted = admittedIn(context.http?.authInfo);
  const requestId = admitted?.requestId ?? newRequestId();
  const { who, address } = admitted?.principal ?? { who: "local", address: undefined };
  const client = clientName(connection, context);
  const caller = { transport, who, ...(address && { address }), client, requestId };
  return { context, connection, access: accessIn(context.http?.authInfo), caller };
}

/** The 2026-07-28 era's clients say with each request what they are and can. */
interface Envelope {
  readonly [CLIENT_INFO_META_KEY]?: Implementation;
  readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities;
}

const envelopeOf = ({ mcpReq }: ServerContext) => mcpReq.envelope as Envelope | undefined;

/** A call of the 2026-07-28 era: what has to be asked first is its answer, and it comes again. */
export const isStateless = ({ context }: Asked): boolean => envelopeOf(context) !== undefined;

/** The client's name for itself, cut to what fits a log line. */
function clientName({ server }: Connection, context: ServerContext): string {
  const info = envelopeOf(context)?.[CLIENT_INFO_META_KEY] ?? server.getClientVersion();
  return (info?.name ?? "").replace(/[^\x20-\x7e]/g, "?").slice(0, 64) || "unnamed";
}

/** Whether the client shows a person a form: `elicitation: {}` says so, too. */
export function canAsk({ context, connection: { server } }: Asked): boolean {
  const envelope = envelopeOf(context);
  const { elicitation } =
    (envelope ? envelope[CLIENT_CAPABILITIES_META_KEY] : server.getClientCapabilities()) ?? {};
  return elicitation !== undefined && ("form" in elicitation || !("url" in elicitation));
}
