/** Who sends a request, as the guards found out. Nothing in it is a secret. */
import type { AuthInfo } from "@modelcontextprotocol/server";
import type { Access } from "../../config.ts";

export interface Principal {
  readonly access: Access;
  /** For logs: `MCP_TOKEN 1` (its place in the token file), `trusted network`, or an OAuth subject. */
  readonly who: string;
  /** The socket's. */
  readonly address: string;
  /** An OAuth token: its client can get another one, with more scopes. */
  readonly oauth?: true;
  /** When that token ends, in milliseconds since 1970. */
  readonly expiresAt?: number;
  /** Tells one from another: whose a session is, whose requests are counted together. Never shown. */
  readonly key: string;
}

/** A request that has passed the guards. */
export interface Admitted {
  readonly principal: Principal;
  /** Where the client finds the issuer that can give it more scopes. */
  readonly metadataUrl?: string;
  /** In the log, in errors, in the audit log. */
  readonly requestId: string;
}

const WRITE_SCOPE = "haproxy:write";
export const SCOPES = ["haproxy:read", WRITE_SCOPE] as const;

/** What full access may do, a token with these scopes may. Undefined: nothing at all. */
export function accessOfScopes(scopes: readonly string[]): Access | undefined {
  if (scopes.includes(WRITE_SCOPE)) return "full";
  return scopes.includes("haproxy:read") ? "read" : undefined;
}

/** What the SDK hands through to the handlers: never the token. */
export function toAuthInfo(admitted: Admitted): AuthInfo {
  const { principal: { access, who }, metadataUrl } = admitted;
  const scopes = access === "full" ? [...SCOPES] : ["haproxy:read"];
  return {
    token: "",
    clientId: who,
    scopes,
    resourceMetadataUrl: metadataUrl,
    extra: { admitted },
  };
}

/** Undefined: the request came by stdio, whose caller started us and may do all. */
export function admittedIn(authInfo: AuthInfo | undefined): Admitted | undefined {
  return authInfo?.extra?.admitted as Admitted | undefined;
}

export const accessIn = (authInfo: AuthInfo | undefined): Access =>
  authInfo === undefined ? "full" : admittedIn(authInfo)?.principal.access ?? "read";
