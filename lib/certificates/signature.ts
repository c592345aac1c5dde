/** Whether one certificate's key signed another (RFC 5280, 4.1.1.3). */
import { Buffer } from "node:buffer";
import type { Bytes } from "./der.ts";
import type { SignatureScheme } from "./signature_scheme.ts";
import type { Certificate } from "./x509.ts";

/** Whether the issuer's key signed it; undefined where Deno can't tell. */
export async function isSignedBy(
  { signed, signature, scheme }: Certificate,
  { publicKey, info }: Certificate,
): Promise<boolean | undefined> {
  if (scheme.hash === undefined || !isVerifiable(info.keyType)) return;
  try {
    return scheme.saltLength === undefined
      ? await verify(scheme.hash, publicKey, signed, signature)
      : await verifyPss(scheme, publicKey, signed, signature);
  } catch {
    // A key or a signature that has not even the form of one.
    return false;
  }
}

/** Deno takes no public RSA key of more than 4096 bits, and of P-521 only some hashes, or before 2.9 nothing. */
function isVerifiable(keyType: string): boolean {
  const [algorithm, size] = keyType.split(" ");
  if (algorithm === "RSA") return Number(size) <= 4096;
  return ["ECDSA P-256", "ECDSA P-384", "Ed25519"].includes(keyType);
}

/** As DER has them: WebCrypto wants ECDSA's signatures in another form. */
async function verify(
  hash: string | null,
  publicKey: Bytes,
  signed: Bytes,
  signature: Bytes,
): Promise<boolean> {
  const { createPublicKey, verify } = await import("node:crypto");
  const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
  return verify(hash, signed, key, signature);
}

/** Deno 2.6's node:crypto takes this padding for the older one. */
async function verifyPss(
  { hash, saltLength }: SignatureScheme,
  publicKey: Bytes,
  signed: Bytes,
  signature: Bytes,
): Promise<boolean> {
  const algorithm = { name: "RSA-PSS", hash: hash!.replace("sha", "SHA-") };
  const key = await crypto.subtle.importKey("spki", publicKey, algorithm, false, ["verify"]);
  return await crypto.subtle.verify(
    { ...algorithm, saltLength: saltLength! },
    key,
    signature,
    signed,
  );
}
