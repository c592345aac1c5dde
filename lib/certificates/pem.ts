/** PEM files of a certificate with its key and chain: what HAProxy takes of one, in the one form that is sent to it. */
import { createHash } from "node:crypto";
import { AgentError } from "../errors.ts";
import { type Bytes, elementLength, elements, only, TAG } from "./der.ts";

/** Bytes of a file: enough for a chain, and for text between the blocks. */
export const MAX_PEM = 1024 * 1024;

export interface Pem {
  /**
   * Keys, certificates and DH parameters in the file's order: LF, lines of 64, no blank line, nothing between the blocks
   * (a blank line would end a payload of HAProxy's, and the chain behind it be lost without an error). Holds the key.
   */
  readonly text: string;
  /** Of the certificate that HAProxy serves. SHA-1 over its DER: hexadecimal, upper case, as `show ssl cert` prints it. */
  readonly fingerprint: string;
  /** Of the same, hexadecimal in upper case: HAProxy 3.4 shows no fingerprint of an Ed25519 certificate. */
  readonly serial: string;
  /** How many certificates follow that one. */
  readonly chain: number;
}

/** One block (RFC 7468). */
export interface PemBlock {
  /** `CERTIFICATE`, `EC PRIVATE KEY`. */
  readonly label: string;
  readonly der: Bytes;
}

const CERTIFICATE = /^(X509 )?CERTIFICATE$/;
const DH_PARAMETERS = /^(X9\.42 )?DH PARAMETERS$/;
const KEY = /^(RSA |EC |DSA )?PRIVATE KEY$/;
/** What HAProxy reads of a PEM, but for the parameters of a curve, which it skips. */
const KEPT = /^((X509 )?CERTIFICATE|((RSA|EC|DSA) )?PRIVATE KEY|(X9\.42 )?DH PARAMETERS)$/;
const COMPLETE = "Put the private key, the certificate and its chain into it, as PEM.";
const ENCRYPTED = "it has an encrypted private key, for which HAProxy has no passphrase";

/**
 * Reads a PEM. Like HAProxy it takes the first certificate for the one to serve and the rest for its chain. Whether the
 * key belongs to it is not looked at.
 *
 * @param file named in errors, which never hold anything of the content
 * @throws {AgentError} CERTIFICATE
 */
export function readPem(text: string, file: string): Pem {
  const blocks = readBlocks(text, file);
  const certificates = blocks.filter(isCertificate);
  return {
    text: blocks.filter(({ label }) => KEPT.test(label)).map(renderBlock).join(""),
    fingerprint: fingerprintOf(certificates[0].der),
    serial: serialOf(certificates[0].der),
    chain: certificates.length - 1,
  };
}

/** `FILE can't be used: WHY.` */
export function unusable(file: string, why: string, hint: string = COMPLETE): AgentError {
  return new AgentError("CERTIFICATE", `${file} can't be used: ${why}.`, {
    hint,
    details: { file },
  });
}

export function isCertificate({ label }: PemBlock): boolean {
  return CERTIFICATE.test(label);
}

export function isKey({ label }: PemBlock): boolean {
  return KEY.test(label);
}

export function isDhParameters({ label }: PemBlock): boolean {
  return DH_PARAMETERS.test(label);
}

/**
 * All blocks, a certificate and a readable key among them.
 *
 * @throws {AgentError} CERTIFICATE
 */
export function readBlocks(text: string, file: string): readonly PemBlock[] {
  const blocks = splitBlocks(text, (why) => unusable(file, why));
  if (blocks.some(({ label }) => label === "ENCRYPTED PRIVATE KEY")) {
    throw unusable(file, ENCRYPTED);
  }
  // HAProxy takes it for a certificate; its DER goes on behind one.
  if (blocks.some(({ label }) => label === "TRUSTED CERTIFICATE")) {
    throw unusable(file, "it has a TRUSTED CERTIFICATE, which only OpenSSL's own files have");
  }
  if (!blocks.some(isCertificate)) throw unusable(file, "it has no certificate");
  if (!blocks.some(isKey)) throw unusable(file, "it has no private key");
  return blocks;
}

const MARK = /^-----(BEGIN|END) ([A-Z0-9. ]{1,64})-----\s*$/;

/** The blocks of a PEM, whatever stands between them. */
function splitBlocks(text: string, unusable: (why: string) => AgentError): PemBlock[] {
  const blocks: PemBlock[] = [];
  let label: string | undefined;
  let base64 = "";
  for (const line of text.split(/\r\n|\r|\n/)) {
    const [, mark, name] = line.startsWith("-----") ? MARK.exec(line) ?? [] : [];
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
function decode(base64: string): Bytes | undefined {
  if (base64 === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) return;
  const der = Uint8Array.fromBase64(base64);
  return der.length === elementLength(der) ? der : undefined;
}

/** RFC 5280, 4.1: the second element of the inner sequence, behind the version; empty where it can't be read. */
function serialOf(der: Bytes): string {
  try {
    const [version, second] = elements(only(elements(only(der).content)[0].der).content);
    const { content } = version.tag === TAG.integer ? version : second;
    return (content.length > 1 && content[0] === 0 ? content.subarray(1) : content)
      .toHex().toUpperCase();
  } catch {
    return "";
  }
}

const fingerprintOf = (der: Bytes) => createHash("sha1").update(der).digest("hex").toUpperCase();

/** With lines of 64 and a newline at the end. */
export function renderBlock({ label, der }: PemBlock): string {
  const base64 = der.toBase64();
  let text = `-----BEGIN ${label}-----\n`;
  for (let at = 0; at < base64.length; at += 64) text += `${base64.slice(at, at + 64)}\n`;
  return `${text}-----END ${label}-----\n`;
}
