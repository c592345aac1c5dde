/** PEM files of a certificate with its key and chain: what HAProxy takes of one, in the one form that is sent to it. */
import { AgentError } from "../errors.ts";

export interface Pem {
  /**
   * Keys, certificates and DH parameters in the file's order: LF, lines of 64, no blank line, nothing between the blocks
   * (a blank line would end a payload of HAProxy's, and the chain behind it be lost without an error). Holds the key.
   */
  readonly text: string;
  /** Of the certificate that HAProxy serves. SHA-1 over its DER: hexadecimal, upper case, as `show ssl cert` prints it. */
  readonly fingerprint: string;
  /** How many certificates follow that one. */
  readonly chain: number;
}

/** One block (RFC 7468). */
export interface PemBlock {
  /** `CERTIFICATE`, `EC PRIVATE KEY`. */
  readonly label: string;
  readonly der: Uint8Array<ArrayBuffer>;
}

const CERTIFICATE = /^(X509 )?CERTIFICATE$/;
const KEY = /^(RSA |EC |DSA )?PRIVATE KEY$/;
/** What HAProxy reads of a PEM, but for the parameters of a curve, which it skips. */
const KEPT = /^((X509 )?CERTIFICATE|((RSA|EC|DSA) )?PRIVATE KEY|(X9\.42 )?DH PARAMETERS)$/;
const ENCRYPTED = "it has an encrypted private key, for which HAProxy has no passphrase";

/**
 * Reads a PEM. Like HAProxy it takes the first certificate for the one to serve and the rest for its chain. Whether the
 * key belongs to it is not looked at.
 *
 * @param file named in errors, which never hold anything of the content
 * @throws {AgentError} CERTIFICATE
 */
export async function readPem(text: string, file: string): Promise<Pem> {
  const unusable = (why: string) =>
    new AgentError("CERTIFICATE", `${file} can't be used: ${why}.`, {
      hint: "Put the private key, the certificate and its chain into it, as PEM.",
      details: { file },
    });
  const blocks = readBlocks(text, unusable);
  const certificates = blocks.filter(({ label }) => CERTIFICATE.test(label));
  if (blocks.some(({ label }) => label === "ENCRYPTED PRIVATE KEY")) throw unusable(ENCRYPTED);
  // HAProxy takes it for a certificate; its DER goes on behind one.
  if (blocks.some(({ label }) => label === "TRUSTED CERTIFICATE")) {
    throw unusable("it has a TRUSTED CERTIFICATE, which only OpenSSL's own files have");
  }
  if (certificates.length === 0) throw unusable("it has no certificate");
  if (!blocks.some(({ label }) => KEY.test(label))) throw unusable("it has no private key");
  return {
    text: blocks.filter(({ label }) => KEPT.test(label)).map(render).join(""),
    fingerprint: await fingerprintOf(certificates[0].der),
    chain: certificates.length - 1,
  };
}

/** The blocks of a PEM, whatever stands between them. */
function readBlocks(text: string, unusable: (why: string) => AgentError): PemBlock[] {
  const blocks: PemBlock[] = [];
  let label: string | undefined;
  let base64 = "";
  for (const line of text.split(/\r\n|\r|\n/)) {
    const [, mark, name] = /^-----(BEGIN|END) ([A-Z0-9. ]{1,64})-----\s*$/.exec(line) ?? [];
    if (label === undefined) {
      if (mark === "BEGIN") [label, base64] = [name, ""];
      continue;
    }
    if (mark === undefined) {
      // Headers of the old form (RFC 1421).
      if (/^(Proc-Type|DEK-Info):/.test(line)) throw unusable(ENCRYPTED);
      base64 += line.trim();
      continue;
    }
    const der = mark === "END" && name === label ? decode(base64) : undefined;
    if (der === undefined) throw unusable(`its block ${blocks.length + 1}, ${label}, is broken`);
    blocks.push({ label, der });
    label = undefined;
  }
  if (label !== undefined) throw unusable(`its block ${blocks.length + 1}, ${label}, has no end`);
  return blocks;
}

/** The DER, or undefined where it is not one whole ASN.1 element. */
function decode(base64: string): Uint8Array<ArrayBuffer> | undefined {
  if (base64 === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) return;
  const der = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return der.length === elementLength(der) ? der : undefined;
}

/** How long the element is that begins here, tag and length included (X.690, 8.1.3: definite form). */
function elementLength(der: Uint8Array): number {
  const first = der[1];
  if (first < 0x80) return 2 + first;
  const octets = first & 0x7f;
  return der.subarray(2, 2 + octets).reduce((length, octet) => length * 256 + octet, 0) + 2 +
    octets;
}

async function fingerprintOf(der: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", der));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase();
}

function render({ label, der }: PemBlock): string {
  let binary = "";
  for (const byte of der) binary += String.fromCharCode(byte);
  return [`-----BEGIN ${label}-----`, ...btoa(binary).match(/.{1,64}/g)!, `-----END ${label}-----`]
    .map((line) => `${line}\n`).join("");
}
