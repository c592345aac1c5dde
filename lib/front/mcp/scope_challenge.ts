/** A call that an OAuth token's scopes don't allow: its client is told which to ask the issuer for (RFC 6750, 3.1). */
import type { AuthInfo, JSONRPCRequest } from "@modelcontextprotocol/server";
import { log } from "../../log.ts";
import type { ToolDefinition } from "../../tool_definition.ts";
import { admittedIn, SCOPES } from "../access/principal.ts";

interface Challenged {
  readonly request: JSONRPCRequest;
  readonly authInfo?: AuthInfo;
}

/** Whose token has no scopes is answered REFUSED by the call itself: its client can get no other. */
export function scopeChallenge(definitions: readonly ToolDefinition[]) {
  const writing = new Set(
    definitions.filter(({ annotations }) => !annotations.readOnlyHint).map(({ name }) => name),
  );
  return ({ request: { method, params }, authInfo }: Challenged) => {
    const { oauth, access, who } = admittedIn(authInfo)?.principal ?? {};
    const name = String(params?.name);
    if (!oauth || access !== "read" || method !== "tools/call" || !writing.has(name)) return;
    log.info(`${name} was not called: ${who} has no scope haproxy:write.`);
    return { scopes: [...SCOPES] as [string, ...string[]] };
  };
}
