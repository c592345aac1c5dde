/** What a client without a token needs to find the issuer: OAuth 2.0 Protected Resource Metadata (RFC 9728). */
import type { OAuthSettings } from "../../config.ts";
import { SCOPES } from "./principal.ts";

export const WELL_KNOWN = "/.well-known/oauth-protected-resource";

/** `host` is the request's Host header, which has been checked. */
export interface ProtectedResource {
  /** The document (RFC 9728, 2). */
  metadata(host: string): Record<string, unknown>;
  /** Where it is, for WWW-Authenticate (RFC 9728, 5.1). */
  metadataUrl(host: string): string;
}

export function protectedResource({ issuer, audience }: OAuthSettings): ProtectedResource {
  const identifier = (host: string) => isResource(audience) ? audience : `${originOf(host)}/mcp`;
  return {
    metadata: (host) => ({
      resource: identifier(host),
      authorization_servers: [issuer],
      scopes_supported: SCOPES,
      bearer_methods_supported: ["header"],
      resource_name: "haproxy-mcp",
    }),
    metadataUrl(host) {
      // RFC 9728, 3.1: between the host and the path, and no slash where the path is nothing else.
      const { origin, pathname, search } = new URL(identifier(host));
      return `${origin}${WELL_KNOWN}${pathname === "/" ? "" : pathname}${search}`;
    },
  };
}

/** A resource's identifier is a URL without a fragment (RFC 9728, 1.2); an audience may be any name. */
function isResource(audience: string): boolean {
  return /^https?:\/\/[^#]*$/i.test(audience) && URL.canParse(audience);
}

/** By way of URL: a header that names an allowed host may still spell it so that it ends a quoted string. */
const originOf = (host: string) => new URL(`https://${host}`).origin;
