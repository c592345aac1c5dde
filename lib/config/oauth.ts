/** OAuth's settings: whose tokens the front room takes beside those of the token file. */
import { type Environment, reader, SettingsError } from "./reader.ts";

export interface OAuthSettings {
  /** The authorization server's identifier (RFC 8414, 2), as its tokens spell it in `iss`. */
  readonly issuer: string;
  /** What `aud` has to name (RFC 8707): this server. */
  readonly audience: string;
  /** Where the issuer's keys are, if not where its metadata says; that has to be on the issuer's own host. */
  readonly jwksUrl?: string;
}

export const OAUTH_VARIABLES = [
  "MCP_OAUTH_AUDIENCE",
  "MCP_OAUTH_ISSUER",
  "MCP_OAUTH_JWKS_URL",
] as const;
type Variable = typeof OAUTH_VARIABLES[number];

/** Undefined: OAuth is off. Throws SettingsError. */
export function readOAuthSettings(env: Environment): OAuthSettings | undefined {
  const { text } = reader<Variable>(env);
  const issuer = text("MCP_OAUTH_ISSUER", "");
  const audience = text("MCP_OAUTH_AUDIENCE", "");
  const jwksUrl = text("MCP_OAUTH_JWKS_URL", "");
  if (!issuer && !audience && !jwksUrl) return undefined;
  assertUrl("MCP_OAUTH_ISSUER", issuer);
  if (!/^[!-~]{1,2048}$/.test(audience)) {
    throw new SettingsError(
      "MCP_OAUTH_AUDIENCE",
      audience,
      "what the issuer's tokens name as their audience, such as https://mcp.example.com/mcp, is",
    );
  }
  if (jwksUrl) assertUrl("MCP_OAUTH_JWKS_URL", jwksUrl);
  return { issuer, audience, ...(jwksUrl && { jwksUrl }) };
}

/** Plain HTTP is for an issuer on this machine. */
function assertUrl(name: Variable, value: string): void {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url?.hostname ?? "");
  const isUsable = url !== undefined && !url.username && !url.password && !url.search &&
    !url.hash && (url.protocol === "https:" || (url.protocol === "http:" && isLocal));
  if (!isUsable) throw new SettingsError(name, value, "an https:// URL without a query is");
}
