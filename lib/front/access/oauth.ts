/** OAuth 2.1 resource server. */
import type { Access, OAuthSettings } from "../../config.ts";

export type TokenVerdict =
  | { readonly ok: true; readonly access: Access; readonly subject: string }
  | {
    readonly ok: false;
    readonly why: "wrong token" | "insufficient scope";
    readonly message?: string;
  };

/** Never throws: an issuer that can't be asked makes a token wrong, and the log says why. */
export type TokenVerifier = (token: string) => Promise<TokenVerdict>;

/** What a client needs to find the issuer (RFC 9728). `host` is the request's Host header. */
export interface ProtectedResource {
  metadata(host: string | undefined): Record<string, unknown>;
  metadataUrl(host: string | undefined): string;
}

export function createTokenVerifier(_settings: OAuthSettings): TokenVerifier {
  return () => Promise.resolve({ ok: false, why: "wrong token" });
}

export function protectedResource(settings: OAuthSettings): ProtectedResource {
  return { metadata: () => ({ resource: settings.audience }), metadataUrl: () => "" };
}
