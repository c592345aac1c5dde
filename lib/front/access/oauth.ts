/** OAuth 2.1 resource server: whether a JWT is the issuer's, for this server, and what it grants (RFC 9068, 4). */
import { errors, type JWTPayload, jwtVerify } from "jose";
import type { Access, OAuthSettings } from "../../config.ts";
import { createIssuerKeys, IssuerUnreachable, type KeyTimes } from "./issuer_keys.ts";
import { accessOfScopes } from "./principal.ts";

export type TokenVerdict =
  | {
    readonly ok: true;
    readonly access: Access;
    /** For logs: printable ASCII, 64 characters at most, so two may look alike. */
    readonly subject: string;
    /** Tells this subject and client from every other. */
    readonly key: string;
    /** Milliseconds since 1970. */
    readonly expiresAt: number;
  }
  | {
    readonly ok: false;
    readonly why: "wrong token" | "insufficient scope" | "issuer unreachable";
    readonly message?: string;
  };

/** Never throws. Where the issuer can't be asked the log says why. */
export type TokenVerifier = (token: string) => Promise<TokenVerdict>;

/** Never HS*: the key that checks such a token also makes one, and the issuer's keys are public. */
const ALGORITHMS = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];
/** Seconds by which the issuer's clock may differ. */
const CLOCK_TOLERANCE = 30;
/** Header, claims, signature. What our own tokens look like does not reach the issuer. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export function createTokenVerifier(
  settings: OAuthSettings,
  times?: Partial<KeyTimes>,
): TokenVerifier {
  const keys = createIssuerKeys(settings, times);
  const { issuer, audience } = settings;
  return async (token) => {
    if (!JWT.test(token)) return { ok: false, why: "wrong token" };
    try {
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        algorithms: ALGORITHMS,
        issuer,
        audience,
        requiredClaims: ["exp"],
        clockTolerance: CLOCK_TOLERANCE,
      });
      if (!isAccessToken(protectedHeader.typ)) {
        return { ok: false, why: "wrong token", message: "This JWT is no access token." };
      }
      return verdictOf(payload);
    } catch (error) {
      if (error instanceof IssuerUnreachable) return { ok: false, why: "issuer unreachable" };
      return { ok: false, why: "wrong token", message: messageOf(error) };
    }
  };
}

function verdictOf(payload: JWTPayload): TokenVerdict {
  const access = accessOfScopes(scopesOf(payload));
  if (!access) return { ok: false, why: "insufficient scope" };
  const { sub, client_id, azp } = payload;
  const client = client_id ?? azp;
  const name = [sub, client].find((claim) => typeof claim === "string" && claim !== "");
  const subject = String(name ?? "unnamed").replace(/[^!-~]/g, "?").slice(0, 64);
  const key = `OAuth ${JSON.stringify([sub, client])}`;
  // jwtVerify has seen to it that there is one.
  const expiresAt = (payload.exp! + CLOCK_TOLERANCE) * 1_000;
  return { ok: true, access, subject, key, expiresAt };
}

/** `scope` as RFC 9068 has it, `scp` as some issuers have it: a list in a string or in an array. */
function scopesOf({ scope, scp }: JWTPayload): string[] {
  return [scope, scp].flatMap((claim) => typeof claim === "string" ? claim.split(" ") : claim)
    .filter((each) => typeof each === "string");
}

/** An issuer signs other things with the same keys (RFC 8725, 3.11): logout tokens, DPoP proofs, events. */
function isAccessToken(typ: unknown): boolean {
  return typ === undefined ||
    (typeof typ === "string" && /^(application\/)?(jwt|at\+jwt)$/i.test(typ));
}

/** Undefined: nothing that would help its sender. */
function messageOf(error: unknown): string | undefined {
  if (error instanceof errors.JWTExpired) return "This token has expired. Get a new one.";
  if (error instanceof errors.JWTClaimValidationFailed) {
    return `This token's ${error.claim} is missing, or not what this server takes.`;
  }
}
