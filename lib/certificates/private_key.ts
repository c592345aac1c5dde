/** Private keys, for one question: which certificate do they belong to? */
import { Buffer } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { type Bytes, contentOf, type Element, inside, oidOf, only, sameBytes, TAG } from "./der.ts";
import type { PemBlock } from "./pem.ts";

export interface PrivateKey {
  /** Whether this SubjectPublicKeyInfo (DER) is its public half. */
  fits(publicKey: Bytes): boolean;
}

/** PKCS #8, SEC 1 (RFC 5915) and PKCS #1 (RFC 8017), by what PEM calls them. */
const FORMATS: Readonly<Record<string, "pkcs8" | "sec1" | "pkcs1">> = {
  "PRIVATE KEY": "pkcs8",
  "EC PRIVATE KEY": "sec1",
  "RSA PRIVATE KEY": "pkcs1",
};
const EC = "1.2.840.10045.2.1";
const P521 = "1.3.132.0.35";
/** Bytes. Beyond what RSA 16384 takes, OpenSSL's greatest, one signature takes minutes. */
const MAX_SIZE = 16 * 1024;
const UNREADABLE = "its private key can't be read: RSA, ECDSA P-256, P-384 and P-521 and Ed25519 " +
  "are known, in PKCS #8, SEC 1 and PKCS #1";

/** @throws {SyntaxError} for a key that can't be read; says nothing of its content */
export async function readPrivateKey({ label, der }: PemBlock): Promise<PrivateKey> {
  const format = FORMATS[label];
  if (format === undefined || der.length > MAX_SIZE) throw new SyntaxError(UNREADABLE);
  const ec = ecKeyOf(format, der);
  if (ec?.curve === P521) return p521Key(ec.key);
  const { createPrivateKey, createPublicKey, sign, verify } = await import("node:crypto");
  const probe = crypto.getRandomValues(new Uint8Array(32));
  let key: KeyObject, hash: string | null, signature: Uint8Array;
  try {
    key = createPrivateKey({ key: Buffer.from(der), format: "der", type: format });
    hash = /^ed/.test(key.asymmetricKeyType!) ? null : "sha256";
    signature = sign(hash, probe, key);
  } catch {
    // Its cause may quote the key.
    throw new SyntaxError(UNREADABLE);
  }
  const publicHalf = () => createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    // A signature proves what equal public halves only say: a key may be damaged in its private one.
    fits(publicKey) {
      try {
        const other = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
        return other.asymmetricKeyType === key.asymmetricKeyType &&
          verify(hash, probe, other, signature);
      } catch {
        // RSA of more than 4096 bits: Deno takes such a key in private form alone.
        return key.asymmetricKeyType === "rsa" && sameBytes(publicHalf(), publicKey);
      }
    },
  };
}

/** Deno 2.6 has no P-521: the public half that the key carries is compared. */
function p521Key(key: Element): PrivateKey {
  const point = parse(() => {
    const half = inside(key, TAG.sequence).find(({ tag }) => tag === 0xa1);
    return half && contentOf(only(half.content), TAG.bitString);
  });
  if (!point) {
    throw new SyntaxError("its private key, ECDSA P-521, lacks its public half");
  }
  return {
    fits: (publicKey) => {
      const [algorithm, bits] = inside(only(publicKey), TAG.sequence);
      const [type, curve] = inside(algorithm, TAG.sequence);
      return oidOf(type) === EC && curve?.tag === TAG.oid && oidOf(curve) === P521 &&
        sameBytes(bits.content, point);
    },
  };
}

/** ECPrivateKey (RFC 5915) and its named curve; undefined: not a key of that kind. */
function ecKeyOf(
  format: "pkcs8" | "sec1" | "pkcs1",
  der: Bytes,
): { key: Element; curve?: string } | undefined {
  if (format === "pkcs1") return;
  return parse(() => {
    const outer = only(der);
    const parts = inside(outer, TAG.sequence);
    if (format === "sec1") return { key: outer, curve: curveOf(parts) };
    const [, algorithm, inner] = parts;
    const [type, curve] = inside(algorithm, TAG.sequence);
    if (oidOf(type) !== EC) return;
    const key = only(contentOf(inner, TAG.octetString));
    return { key, curve: curve?.tag === TAG.oid ? oidOf(curve) : undefined };
  });
}

function curveOf(parts: readonly Element[]): string | undefined {
  const parameters = parts.find(({ tag }) => tag === 0xa0);
  const curve = parameters && only(parameters.content);
  return curve?.tag === TAG.oid ? oidOf(curve) : undefined;
}

function parse<T>(read: () => T): T {
  try {
    return read();
  } catch {
    throw new SyntaxError(UNREADABLE);
  }
}
