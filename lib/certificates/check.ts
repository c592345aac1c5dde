/** Whether a PEM can be served, before it goes to disk and to HAProxy, and its blocks brought into order. */
import { type Chain, chainOf } from "./chain.ts";
import { covers } from "./covers.ts";
import { sameBytes } from "./der.ts";
import {
  isCertificate,
  isDhParameters,
  isKey,
  type PemBlock,
  readBlocks,
  renderBlock,
  unusable,
} from "./pem.ts";
import { readPrivateKey } from "./private_key.ts";
import { type Certificate, type CertificateInfo, parseX509 } from "./x509.ts";

export interface UsablePem {
  /**
   * What goes to disk and to HAProxy: private key, certificate, chain up to the root, then DH parameters if any. LF, no
   * blank line. Holds the key.
   */
  readonly text: string;
  readonly certificate: CertificateInfo;
  readonly chain: readonly CertificateInfo[];
  /** Sentences about what works but is not as it should be: an issuer that is not in the file. */
  readonly warnings: readonly string[];
}

export interface CheckOptions {
  /** What the PEM is called in errors and warnings. */
  readonly file: string;
  /** A name that the certificate has to cover, itself or with its wildcard. Lower case, A-labels. */
  readonly domain?: string;
  /** @default the present */
  readonly now?: Date;
  /** Takes what has expired, with a warning. @default {false} */
  readonly allowExpired?: boolean;
}

/** Milliseconds that the CA's clock may be ahead. */
const SKEW = 5 * 60_000;
/** Of distinct ones: each is tried as the issuer of each. */
const MAX_CERTIFICATES = 20;
/** Bits. OpenSSL's security level 2 refuses less ("ee key too small", "ca key too small"); its greatest is 16384. */
const RSA_SIZES = { least: 2048, most: 16_384 };
const NAMES_SHOWN = 5;

const HINTS = {
  marks: "Copy the file again, whole: each block has a line BEGIN and a line END of its own.",
  key: "Give the private key that the certificate was requested with, unencrypted.",
  oneKey: "Leave only the private key of the certificate to be served.",
  chain: "Take the chain again from the CA, and leave out everything else.",
  renew: "Give a certificate that is valid now.",
  clock: "Check this machine's clock, or give a certificate that is valid now.",
  strong: "Have a new certificate issued for a key of ECDSA P-256 or RSA 2048.",
};

/**
 * Checks a PEM and puts it in order: the certificate is the one that the key belongs to, its chain follows.
 *
 * @throws {AgentError} CERTIFICATE; names the file and what is wrong with it, never anything of the key
 */
export async function checkPem(text: string, options: CheckOptions): Promise<UsablePem> {
  const { file } = options;
  const blocks = readBlocks(text, file);
  refuseStrayMarks(text, blocks.length, file);
  const keyBlock = onlyKey(blocks, file);
  const certificates = await readCertificates(blocks, file);
  const leaf = await findLeaf(keyBlock, certificates, file);
  const chain = await linkChain(leaf, certificates, file);
  const path = [leaf, ...chain.issuers];
  const expired = path.flatMap((each) => checkLifetime(each, leaf, options));
  checkDomain(leaf, options);
  const dh = distinct(blocks.filter(isDhParameters));
  const served = path.map(({ der }): PemBlock => ({ label: "CERTIFICATE", der }));
  return {
    text: [keyBlock, ...served, ...dh].map(renderBlock).join(""),
    certificate: leaf.info,
    chain: chain.issuers.map(({ info }) => info),
    warnings: [...expired, ...warningsOf(leaf, chain, file)],
  };
}

/**
 * As {@linkcode checkPem}, of what an ACME client hands over: the key and the certificates, each as PEM.
 *
 * @throws {AgentError} CERTIFICATE
 */
export function assemblePem(
  key: string,
  certificates: string,
  options: CheckOptions,
): Promise<UsablePem> {
  return checkPem(`${key}\n${certificates}`, options);
}

/** A block whose BEGIN is spoilt would pass for text between the blocks, and be missing from the chain. */
function refuseStrayMarks(text: string, blocks: number, file: string): void {
  const marks = text.match(/-----\s*(BEGIN|END)\b/g)?.length;
  if (marks === 2 * blocks) return;
  throw unusable(file, "it has a BEGIN or END line that belongs to no block", HINTS.marks);
}

function onlyKey(blocks: readonly PemBlock[], file: string): PemBlock {
  const keys = distinct(blocks.filter(isKey));
  if (keys.length === 1) return keys[0];
  throw unusable(file, `it has ${keys.length} private keys`, HINTS.oneKey);
}

async function readCertificates(
  blocks: readonly PemBlock[],
  file: string,
): Promise<readonly Certificate[]> {
  const certificates = distinct(blocks.filter(isCertificate));
  if (certificates.length > MAX_CERTIFICATES) {
    const why = `it has ${certificates.length} certificates, more than ${MAX_CERTIFICATES}`;
    throw unusable(file, why, HINTS.chain);
  }
  return await Promise.all(certificates.map(async ({ der }, i) => {
    try {
      const certificate = await parseX509(der);
      refuseKeySize(certificate, file);
      return certificate;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw unusable(file, `its certificate ${i + 1} can't be read: ${error.message}`, HINTS.chain);
    }
  }));
}

async function findLeaf(
  block: PemBlock,
  certificates: readonly Certificate[],
  file: string,
): Promise<Certificate> {
  const key = await readPrivateKey(block).catch((error) => {
    throw error instanceof SyntaxError ? unusable(file, error.message, HINTS.key) : error;
  });
  const fitting = certificates.filter(({ publicKey }) => key.fits(publicKey));
  const [leaf, ...others] = fitting;
  if (leaf === undefined) {
    const titles = certificates.map(title).join("; ").slice(0, 300);
    throw unusable(file, `its private key belongs to no certificate in it (${titles})`, HINTS.key);
  }
  if (others.length > 0) {
    const why = `${fitting.length} certificates in it have its private key: ` +
      fitting.map(title).join("; ");
    throw unusable(file, why, "Leave only the one to be served, and its chain.");
  }
  return leaf;
}

async function linkChain(
  leaf: Certificate,
  certificates: readonly Certificate[],
  file: string,
): Promise<Chain> {
  const chain = await chainOf(leaf, certificates);
  const [forged] = chain.forged;
  if (forged) {
    const [certificate, issuer] = forged.map(title);
    const why = certificate === issuer
      ? `the signature of ${certificate} is not its own, as it says`
      : `${certificate} was not signed by ${issuer}, as it says`;
    throw unusable(file, why, HINTS.chain);
  }
  const [unrelated] = chain.unrelated;
  if (!unrelated) return chain;
  const why = `${title(unrelated)} has no place in the chain of ${title(leaf)}`;
  throw unusable(file, why, HINTS.chain);
}

/** Also of a key so large that HAProxy can't use it, and that would take minutes here. */
function refuseKeySize(certificate: Certificate, file: string): void {
  const { keyType } = certificate.info;
  const bits = Number(/^RSA(?:-PSS)? (\d+)$/.exec(keyType)?.[1] ?? RSA_SIZES.least);
  if (bits >= RSA_SIZES.least && bits <= RSA_SIZES.most) return;
  const wanted = `${RSA_SIZES.least} to ${RSA_SIZES.most} bits`;
  const why = `the key of ${title(certificate)} is ${keyType}; HAProxy wants ${wanted}`;
  throw unusable(file, why, HINTS.strong);
}

/** Warnings. */
function checkLifetime(
  certificate: Certificate,
  leaf: Certificate,
  { file, now = new Date(), allowExpired = false }: CheckOptions,
): string[] {
  const { notBefore, notAfter } = certificate.info;
  const what = certificate === leaf
    ? `the certificate ${title(leaf)}`
    : `${title(certificate)}, in its chain,`;
  if (Date.parse(notBefore) > now.getTime() + SKEW) {
    throw unusable(file, `${what} is not valid before ${notBefore}`, HINTS.clock);
  }
  if (Date.parse(notAfter) >= now.getTime()) return [];
  if (allowExpired) return [`${file}: ${what} expired on ${notAfter}.`];
  throw unusable(file, `${what} expired on ${notAfter}`, HINTS.renew);
}

function checkDomain({ info }: Certificate, { file, domain }: CheckOptions): void {
  if (domain === undefined) return;
  const { names } = info;
  if (covers(names, domain) || covers(names, `*.${domain}`)) return;
  const shown = names.slice(0, NAMES_SHOWN).join(", ").slice(0, 300) || "no name at all";
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : "";
  throw unusable(
    file,
    `its certificate is for ${shown}${more}, which covers neither ${domain} nor *.${domain}`,
    `Give a certificate that has ${domain} among its names.`,
  );
}

function warningsOf(leaf: Certificate, chain: Chain, file: string): string[] {
  const path = [leaf, ...chain.issuers];
  const missing = path.length === 1 && !chain.selfSigned
    ? [
      `${file} lacks the certificate of the issuer, ${leaf.info.issuer}: clients that do not ` +
      "know it will refuse the connection.",
    ]
    : [];
  const roots = chain.issuers.filter(({ info }) => info.selfIssued).map((root) =>
    `${file} has the root ${title(root)}, which clients must have anyway: it only makes each ` +
    "handshake longer."
  );
  // What a root says of itself proves nothing, and nobody looks.
  const sha1 = path.filter(({ info, scheme }) => !info.selfIssued && scheme.hash === "sha1")
    .map((each) => `${title(each)} in ${file} is signed with SHA-1, which clients refuse.`);
  const unchecked = chain.unchecked.map(([certificate, issuer]) =>
    `Whether ${title(certificate)} in ${file} was signed by ${title(issuer)} could not be checked.`
  );
  // HAProxy serves it, and so does what `openssl req -x509 -CA` makes without further words.
  const ca = leaf.info.ca && !leaf.info.selfIssued
    ? [`${title(leaf)} in ${file} is a CA's certificate, which some clients refuse of a server.`]
    : [];
  return [...missing, ...ca, ...roots, ...sha1, ...unchecked];
}

/** How a certificate is called in a sentence. */
function title({ info: { subject, names, serial } }: Certificate): string {
  return (subject || names[0] || `the certificate with serial ${serial}`).slice(0, 200);
}

function distinct(blocks: readonly PemBlock[]): readonly PemBlock[] {
  return blocks.filter(({ der }, i) =>
    blocks.findIndex((other) => sameBytes(der, other.der)) === i
  );
}
