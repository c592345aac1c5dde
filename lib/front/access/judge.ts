/** Who may enter: bearer tokens, OAuth's and our own, and trusted networks; judged anew for every request. */
import { createHash } from "node:crypto";
import type { Access } from "../../config.ts";
import { createNetworks } from "../../names/networks.ts";
import type { TokenVerifier } from "./oauth.ts";
import { cookieOf } from "./page_cookie.ts";
import type { Principal } from "./principal.ts";

/** SHA-256 digests of the tokens that are accepted, by what they grant. The tokens stay in main. */
export interface Tokens {
  readonly full: readonly Uint8Array[];
  readonly read: readonly Uint8Array[];
}

export type Verdict =
  | { readonly ok: true; readonly principal: Principal }
  | {
    readonly ok: false;
    /** insufficient scope: the OAuth issuer's token is right, and grants nothing here. */
    readonly why: "no token" | "wrong token" | "insufficient scope" | "issuer unreachable";
    readonly message?: string;
  };

/**
 * Judges by the Authorization header and the socket's peer address: no header that a proxy or a
 * client sets says where a request comes from. A token that is right counts before the network.
 *
 * @param cookie the status page's, on its own routes; it stands for the token that signed in, where no other one is sent
 */
export type Judge = (
  authorization: string | undefined,
  address: string,
  cookie?: string,
) => Promise<Verdict>;

export interface JudgeOptions {
  readonly tokens: () => Tokens;
  readonly trusted: { readonly networks: readonly string[]; readonly access: Access };
  /** Where OAuth is on. */
  readonly verify?: TokenVerifier;
}

export function createJudge({ tokens, trusted, verify }: JudgeOptions): Judge {
  const isTrusted = createNetworks(trusted.networks);
  return async (authorization, address, cookie) => {
    const token = /^Bearer +([!-~]+) *$/i.exec(authorization ?? "")?.[1];
    const own = token !== undefined
      ? ownToken(token, tokens())
      : cookie !== undefined
      ? signedIn(cookie, tokens())
      : undefined;
    if (own) return { ok: true, principal: { ...own, address } };
    const verified = token === undefined ? undefined : await verify?.(token);
    if (verified?.ok) {
      const { access, subject, key, expiresAt } = verified;
      const who = `OAuth ${subject}`;
      return { ok: true, principal: { access, who, oauth: true, expiresAt, address, key } };
    }
    if (isTrusted(address)) {
      const { access } = trusted;
      return { ok: true, principal: { access, who: "trusted network", address, key: address } };
    }
    if (token === undefined && cookie === undefined) return { ok: false, why: "no token" };
    return { ok: false, why: verified?.why ?? "wrong token", message: verified?.message };
  };
}

const TOKEN_KEY = "token ";
export const keyOfToken = (digest: Uint8Array): string => TOKEN_KEY + digest.toHex();
export const isKeyOfToken = (key: string): boolean => key.startsWith(TOKEN_KEY);

type Own = Pick<Principal, "access" | "who" | "key">;

function ownToken(token: string, tokens: Tokens): Own | undefined {
  // Not crypto.subtle, which is five times as slow: it hands each digest to another thread.
  const given = new Uint8Array(createHash("sha256").update(token).digest());
  return firstOf(tokens, (digest) => isSame(digest, given));
}

function signedIn(cookie: string, tokens: Tokens): Own | undefined {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const given = bytes(cookie);
  return firstOf(tokens, (digest) => isSame(bytes(cookieOf(keyOfToken(digest))), given));
}

function firstOf({ full, read }: Tokens, isIt: (digest: Uint8Array) => boolean): Own | undefined {
  // All of them, whichever it is.
  const [inFull, inRead] = [full, read].map((digests) => digests.map(isIt).indexOf(true));
  if (inFull >= 0) {
    return { access: "full", who: `MCP_TOKEN ${inFull + 1}`, key: keyOfToken(full[inFull]) };
  }
  if (inRead < 0) return undefined;
  return { access: "read", who: `MCP_READONLY_TOKEN ${inRead + 1}`, key: keyOfToken(read[inRead]) };
}

/** Compared in full: the time taken tells nothing about a token. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length &&
    a.reduce((difference, byte, i) => difference | (byte ^ b[i]), 0) === 0;
}
