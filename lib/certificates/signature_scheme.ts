/** What a certificate's AlgorithmIdentifier says of its signature (RFC 5280, 4.1.1.2). */
import { contentOf, type Element, inside, oidOf, only, TAG } from "./der.ts";

/** An algorithm's hash; null: it has its own. */
const HASHES: Readonly<Record<string, string | null>> = {
  "1.2.840.113549.1.1.5": "sha1",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.113549.1.1.14": "sha224",
  "1.2.840.10045.4.1": "sha1",
  "1.2.840.10045.4.3.1": "sha224",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.3.101.112": null,
  // Hashes by themselves, as parameters of RSA-PSS name them.
  "1.3.14.3.2.26": "sha1",
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
const RSA_PSS = "1.2.840.113549.1.1.10";

export interface SignatureScheme {
  /** As node:crypto calls it; null: the algorithm has its own; undefined: not known here. */
  readonly hash: string | null | undefined;
  /** Octets of RSA-PSS's salt; undefined: another padding. */
  readonly saltLength?: number;
}

/** Throws SyntaxError. */
export function schemeOf(algorithm: Element): SignatureScheme {
  const [oid, parameters] = inside(algorithm, TAG.sequence);
  const type = oidOf(oid);
  if (type !== RSA_PSS) return { hash: HASHES[type] };
  // RFC 4055, 3.1: [0] hash, [1] mask, whose hash is the same wherever this is met, [2] length of the salt.
  const fields = new Map(
    inside(parameters, TAG.sequence).map(({ tag, content }) => [tag, only(content)]),
  );
  const hash = fields.get(0xa0), salt = fields.get(0xa2);
  return {
    hash: hash ? HASHES[oidOf(inside(hash, TAG.sequence)[0])] : "sha1",
    saltLength: salt ? Number(`0x${contentOf(salt, TAG.integer).toHex()}`) : 20,
  };
}
