/**
 * The cookie by which a browser stays signed in to the status page. It is made from the token's digest, and is none that
 * could be sent to /mcp: cookies know no ports, so every service of this host name gets it, too.
 */
import { createHash } from "node:crypto";

export const PAGE_COOKIE = "haproxy_mcp";

/** A week: who rotates tokens signs everybody out. */
export const PAGE_COOKIE_S = 7 * 24 * 60 * 60;

/** The same after a restart, so that nobody has to sign in again. */
export const cookieOf = (tokenKey: string): string =>
  createHash("sha256").update(`haproxy-mcp status page, ${tokenKey}`).digest("base64url");
