/** A call that an OAuth token's scopes don't allow: its client is told which to ask the issuer for (RFC 6750, 3.1). */
import type { AuthInfo, JSONRPCRequest } from "@modelcontextprotocol/server";
import type { ToolDefinition } from "../../tool_definition.ts";
import { type Admitted, admittedIn, SCOPES } from "../access/principal.ts";

interface Challenged {
  readonly request: JSONRPCRequest;
  readonly authInfo?: AuthInfo;
}

/**
 * Whose token has no scopes is answered REFUSED by the call itself: its client can get no other.
 *
 * @param onRefused told of every call that was not let through
 */
export function scopeChallenge(
  definitions: readonly ToolDefinition[],
  onRefused: (definition: ToolDefinition, args: unknown, admitted: Admitted) => void,
) {
  const writing = new Map(
    definitions.filter(({ annotations }) => !annotations.readOnlyHint)
      .map((definition) => [definition.name, definition]),
  );
  return ({ request: { method, params }, authInfo }: Challenged) => {
    const admitted = admittedIn(authInfo);
    const definition = method === "tools/call" ? writing.get(String(params?.name)) : undefined;
    if (!admitted || !definition) return;
    const { oauth, access } = admitted.principal;
    if (!oauth || access !== "read") return;
    onRefused(definition, params?.arguments ?? {}, admitted);
    return { scopes: [...SCOPES] as [string, ...string[]] };
  };
}
