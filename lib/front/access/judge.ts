/** Who may enter: bearer tokens, OAuth's and our own, and trusted networks; judged anew for every request. */
import { createHash } from "node:crypto";
import type { Access } from "../../config.ts";
import { createNetworks } from "../../names/networks.ts";
import type { TokenVerifier } from "./oauth.ts";
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
 */
export type Judge = (authorization: string | undefined, address: string) => Promise<Verdict>;

export interface JudgeOptions {
  readonly tokens: () => Tokens;
  readonly trusted: { readonly networks: readonly string[]; readonly access: Access };
  /** Where OAuth is on. */
  readonly verify?: TokenVerifier;
}

export function createJudge({ tokens, trusted, verify }: JudgeOptions): Judge {
  const isTrusted = createNetworks(trusted.networks);
  return async (authorization, address) => {
    const token = /^Bearer +([!-~]+) *$/i.exec(authorization ?? "")?.[1];
    const own = token === undefined ? undefined : ownToken(token, tokens());
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
    if (token === undefined) return { ok: false, why: "no token" };
    return { ok: false, why: verified?.why ?? "wrong token", message: verified?.message };
  };
}

const TOKEN_KEY = "token ";
export const keyOfToken = (digest: Uint8Array): string => TOKEN_KEY + digest.toHex();
export const isKeyOfToken = (key: string): boolean => key.startsWith(TOKEN_KEY);

/** Digests have one length and each is compared in full: the time taken tells nothing about a token. */
function ownToken(
  token: string,
  { full, read }: Tokens,
): Pick<Principal, "access" | "who" | "key"> | undefined {
  // Not crypto.subtle, which is five times as slow: it hands each digest to another thread.
  const given = new Uint8Array(createHash("sha256").update(token).digest());
  const placeIn = (digests: readonly Uint8Array[]) =>
    digests.map((digest) =>
      digest.length === given.length &&
      digest.reduce((difference, byte, i) => difference | (byte ^ given[i]), 0) === 0
    ).indexOf(true) + 1;
  const [inFull, inRead] = [placeIn(full), placeIn(read)];
  const key = keyOfToken(given);
  if (inFull > 0) return { access: "full", who: `MCP_TOKEN ${inFull}`, key };
  if (inRead > 0) return { access: "read", who: `MCP_READONLY_TOKEN ${inRead}`, key };
}
