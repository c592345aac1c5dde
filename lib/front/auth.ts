/** Who may do what: bearer tokens and trusted networks, judged anew for every request. */
import type { AuthInfo } from "@modelcontextprotocol/server";
import type { Access } from "../config.ts";
import { createNetworks } from "./networks.ts";

/** SHA-256 digests of the tokens that are accepted, by what they grant. The tokens stay in main. */
export interface Tokens {
  readonly full: readonly Uint8Array[];
  readonly read: readonly Uint8Array[];
}

export type Verdict =
  | { readonly ok: true; readonly access: Access }
  | { readonly ok: false; readonly why: "no token" | "wrong token" };

/**
 * Judges by the Authorization header and the socket's peer address: no header that a proxy or a
 * client sets says where a request comes from. A token that is right counts before the network.
 */
export type Judge = (authorization: string | undefined, peer: string) => Promise<Verdict>;

export function createJudge(
  tokens: () => Tokens,
  trusted: { readonly networks: readonly string[]; readonly access: Access },
): Judge {
  const isTrusted = createNetworks(trusted.networks);
  return async (authorization, peer) => {
    const token = /^Bearer +([!-~]+) *$/i.exec(authorization ?? "")?.[1];
    const access = token === undefined ? undefined : await accessOf(token, tokens());
    if (access) return { ok: true, access };
    if (isTrusted(peer)) return { ok: true, access: trusted.access };
    return { ok: false, why: token === undefined ? "no token" : "wrong token" };
  };
}

/** Digests have one length and each is compared in full: the time taken tells nothing about a token. */
async function accessOf(token: string, { full, read }: Tokens): Promise<Access | undefined> {
  const bytes = new TextEncoder().encode(token);
  const given = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const matches = (digests: readonly Uint8Array[]) =>
    digests.map((digest) =>
      digest.length === given.length &&
      digest.reduce((difference, byte, i) => difference | (byte ^ given[i]), 0) === 0
    ).includes(true);
  const [isFull, isRead] = [matches(full), matches(read)];
  return isFull ? "full" : isRead ? "read" : undefined;
}

const WRITE_SCOPE = "haproxy:write";

/** What the SDK hands through to a tool's handler: the scopes and the peer, never the token. */
export function toAuthInfo(access: Access, peer: string): AuthInfo {
  const scopes = access === "full" ? ["haproxy:read", WRITE_SCOPE] : ["haproxy:read"];
  return { token: "", clientId: peer, scopes };
}

/** A request without AuthInfo came by stdio, whose caller started us and may do all. */
export function accessIn(authInfo: AuthInfo | undefined): Access {
  return authInfo === undefined || authInfo.scopes.includes(WRITE_SCOPE) ? "full" : "read";
}
