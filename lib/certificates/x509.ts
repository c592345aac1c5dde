/** What a certificate says of itself (RFC 5280). */
import {
  bitLength,
  bitsOf,
  type Bytes,
  contentOf,
  type Element,
  inside,
  oidOf,
  only,
  sameBytes,
  TAG,
} from "./der.ts";
import { commonName, nameText } from "./distinguished_name.ts";
import { schemeOf, type SignatureScheme } from "./signature_scheme.ts";

export interface CertificateInfo {
  /**
   * DNS names (lower case) and addresses of the subjectAltName, in its order; the common name only where there is no
   * subjectAltName. What no client could ask for, such as a name with a space, is left out.
   */
  readonly names: readonly string[];
  /** `CN=example.com, O=Example` (RFC 4514); empty where the subject is. */
  readonly subject: string;
  /** In the form of `subject`. */
  readonly issuer: string;
  /** Hexadecimal, upper case, two digits a byte, as HAProxy's `show ssl cert` prints it. */
  readonly serial: string;
  /** ISO 8601 in UTC, with seconds: `2026-11-23T10:00:00Z`. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** `ECDSA P-256`, `RSA 2048`, `Ed25519`. */
  readonly keyType: string;
  /** Fingerprints over the DER: hexadecimal, upper case. */
  readonly sha1: string;
  readonly sha256: string;
  /** What the CA knows it by in renewalInfo (RFC 9773, 4.1); none where it has no authorityKeyIdentifier. */
  readonly ariId?: string;
  /** Whether subject and issuer are the same. */
  readonly selfIssued: boolean;
  /** Whether it may issue others (basicConstraints, cA). */
  readonly ca: boolean;
}

/** A certificate with what links it to its issuer and to its key. */
export interface Certificate {
  readonly info: CertificateInfo;
  readonly der: Bytes;
  /** Subject and issuer as DER, to be compared. */
  readonly subject: Bytes;
  readonly issuer: Bytes;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Bytes;
  readonly keyId?: Bytes;
  readonly authorityKeyId?: Bytes;
  /** What the signature is over. */
  readonly signed: Bytes;
  readonly signature: Bytes;
  readonly scheme: SignatureScheme;
}

const CURVES: Readonly<Record<string, string>> = {
  "1.2.840.10045.3.1.7": "P-256",
  "1.3.132.0.34": "P-384",
  "1.3.132.0.35": "P-521",
  "1.3.132.0.10": "secp256k1",
};
/** Public keys that say no more than their algorithm. */
const KEY_TYPES: Readonly<Record<string, string>> = {
  "1.3.101.112": "Ed25519",
  "1.3.101.113": "Ed448",
  "1.2.840.10040.4.1": "DSA",
};
const RSA: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.1": "RSA",
  "1.2.840.113549.1.1.10": "RSA-PSS",
};
const EC = "1.2.840.10045.2.1";

/** @throws {SyntaxError} where it is not an X.509 certificate; says what is wrong, and nothing of the content */
export async function readCertificate(der: Bytes): Promise<CertificateInfo> {
  return (await parseX509(der)).info;
}

/** Throws SyntaxError as {@linkcode readCertificate} does. */
export async function parseX509(der: Bytes): Promise<Certificate> {
  const [signed, algorithm, signature] = inside(only(der), TAG.sequence);
  const fields = inside(signed, TAG.sequence);
  if (fields[0]?.tag === 0xa0) fields.shift(); // version
  const [serial, signedAlgorithm, issuer, validity, subject, publicKey, ...rest] = fields;
  if (publicKey === undefined || signature === undefined) {
    throw new SyntaxError("its DER lacks elements");
  }
  // RFC 5280, 4.1.1.2: the one outside is not under the signature.
  if (!sameBytes(signedAlgorithm.der, algorithm.der)) {
    throw new SyntaxError("it names two signature algorithms");
  }
  const extensions = readExtensions(rest);
  const [notBefore, notAfter] = timesOf(validity);
  const [sha1, sha256] = await Promise.all(["SHA-1", "SHA-256"].map((name) => digest(name, der)));
  const altNames = extensions.get("2.5.29.17");
  const authorityKeyId = extensions.has("2.5.29.35")
    ? inside(only(extensions.get("2.5.29.35")!), TAG.sequence)
      .find(({ tag }) => tag === 0x80)?.content
    : undefined;
  const keyId = extensions.get("2.5.29.14");
  const serialNumber = contentOf(serial, TAG.integer);
  const names = altNames ? altNamesOf(altNames) : [commonName(subject)?.toLowerCase() ?? ""];
  return {
    der,
    subject: subject.der,
    issuer: issuer.der,
    publicKey: publicKey.der,
    signed: signed.der,
    signature: bitsOf(signature),
    scheme: schemeOf(algorithm),
    ...(keyId && { keyId: contentOf(only(keyId), TAG.octetString) }),
    ...(authorityKeyId && { authorityKeyId }),
    info: {
      names: names.filter((name) => /^[!-~]+$/.test(name)),
      subject: nameText(subject),
      issuer: nameText(issuer),
      serial: hex(
        serialNumber.length > 1 && serialNumber[0] === 0 ? serialNumber.subarray(1) : serialNumber,
      ),
      notBefore,
      notAfter,
      keyType: keyTypeOf(publicKey),
      sha1,
      sha256,
      ...(authorityKeyId && { ariId: `${base64url(authorityKeyId)}.${base64url(serialNumber)}` }),
      selfIssued: sameBytes(subject.der, issuer.der),
      ca: isCa(extensions.get("2.5.29.19")),
    },
  };
}

/** By object identifier; the value is the DER within. */
function readExtensions(fields: readonly Element[]): ReadonlyMap<string, Bytes> {
  const list = fields.find(({ tag }) => tag === 0xa3);
  if (!list) return new Map();
  return new Map(
    inside(only(list.content), TAG.sequence).map((extension) => {
      const parts = inside(extension, TAG.sequence);
      return [oidOf(parts[0]), contentOf(parts.at(-1), TAG.octetString)];
    }),
  );
}

/** GeneralName (4.2.1.6): dNSName is [2], iPAddress [7]. */
function altNamesOf(der: Bytes): string[] {
  return inside(only(der), TAG.sequence).map(({ tag, content }) => {
    if (tag === 0x82) return new TextDecoder("latin1").decode(content).toLowerCase();
    return tag === 0x87 ? addressOf(content) : "";
  });
}

function addressOf(octets: Bytes): string {
  if (octets.length === 4) return octets.join(".");
  if (octets.length !== 16) return "";
  const groups = hex(octets).match(/.{4}/g)!.join(":");
  return new URL(`http://[${groups}]`).hostname.slice(1, -1);
}

/** A CA's certificate has SEQUENCE { BOOLEAN TRUE, … } (4.2.1.9). */
function isCa(constraints: Bytes | undefined): boolean {
  if (!constraints) return false;
  const [ca] = inside(only(constraints), TAG.sequence);
  return ca?.tag === TAG.boolean && ca.content[0] !== 0;
}

function keyTypeOf(publicKey: Element): string {
  const [algorithm, key] = inside(publicKey, TAG.sequence);
  const [oid, parameters] = inside(algorithm, TAG.sequence);
  const type = oidOf(oid);
  if (type === EC) {
    // Parameters in full are there where no curve is named.
    const curve = parameters?.tag === TAG.oid ? oidOf(parameters) : "with explicit parameters";
    return `ECDSA ${CURVES[curve] ?? curve}`;
  }
  if (!(type in RSA)) return KEY_TYPES[type] ?? type;
  const [modulus] = inside(only(bitsOf(key)), TAG.sequence);
  return `${RSA[type]} ${bitLength(contentOf(modulus, TAG.integer))}`;
}

/** From when to when. */
function timesOf(validity: Element): [string, string] {
  const times = inside(validity, TAG.sequence);
  if (times.length !== 2) throw new SyntaxError("its lifetime is not two times");
  return [timeOf(times[0]), timeOf(times[1])];
}

/** UTCTime is YYMMDDHHMMSSZ and means 1950 to 2049, GeneralizedTime YYYYMMDDHHMMSSZ (4.1.2.5). */
function timeOf({ tag, content }: Element): string {
  let digits = new TextDecoder("latin1").decode(content);
  if (tag === 0x17) digits = (Number(digits.slice(0, 2)) < 50 ? "20" : "19") + digits;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits);
  const iso = parts?.slice(1).join("-")
    .replace(/-(..)-(..)-(..)$/, "T$1:$2:$3Z");
  if (!iso || !validTime(iso)) throw new SyntaxError("a time is not one");
  return iso;
}

/** Date takes 31 February for 3 March. */
function validTime(iso: string): boolean {
  const date = new Date(iso);
  return !Number.isNaN(date.getTime()) && date.toISOString() === iso.replace("Z", ".000Z");
}

async function digest(algorithm: string, der: Bytes): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest(algorithm, der)));
}

function hex(bytes: Bytes): string {
  return bytes.toHex().toUpperCase();
}

function base64url(bytes: Bytes): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
