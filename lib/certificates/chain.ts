/** Which certificate was issued by which, whatever their order in a file. */
import { sameBytes } from "./der.ts";
import { isSignedBy } from "./signature.ts";
import type { Certificate } from "./x509.ts";

export interface Chain {
  /**
   * Without the certificate itself: its issuer, the issuer's issuer, up to the root or the last that is there. Where an
   * issuer is there in several certificates (cross-signed), the first path is whole before the next begins.
   */
  readonly issuers: readonly Certificate[];
  /** The certificate is its own issuer. */
  readonly selfSigned: boolean;
  /** What belongs to no path. */
  readonly unrelated: readonly Certificate[];
  /** Certificates with an issuer by name that did not sign them, each with it. */
  readonly forged: readonly (readonly [Certificate, Certificate])[];
  /** Links whose signature could not be checked: subject and key identifiers fit. */
  readonly unchecked: readonly (readonly [Certificate, Certificate])[];
}

/** @param all distinct certificates, `leaf` among them */
export async function chainOf(leaf: Certificate, all: readonly Certificate[]): Promise<Chain> {
  const path: Certificate[] = [], roots: Certificate[] = [];
  const forged: [Certificate, Certificate][] = [], unchecked: [Certificate, Certificate][] = [];

  async function follow(certificate: Certificate): Promise<void> {
    path.push(certificate);
    const named = all.filter((other) =>
      sameBytes(other.subject, certificate.issuer) &&
      // Its CA may only be called as it is.
      (other !== certificate || identifies(certificate, other))
    );
    const issuers: Certificate[] = [];
    for (const issuer of named) {
      const signed = await isSignedBy(certificate, issuer);
      if (!(signed ?? identifies(certificate, issuer))) continue;
      if (signed === undefined) unchecked.push([certificate, issuer]);
      issuers.push(issuer);
    }
    if (named.length > 0 && issuers.length === 0) forged.push([certificate, named[0]]);
    // A root: other certificates of its key lead nowhere that it does not.
    if (issuers.includes(certificate)) return void roots.push(certificate);
    for (const issuer of issuers.sort(crossSignedFirst)) {
      if (!path.includes(issuer)) await follow(issuer);
    }
  }

  await follow(leaf);
  return {
    issuers: path.slice(1),
    selfSigned: roots.includes(leaf),
    unrelated: all.filter((certificate) => !path.includes(certificate)),
    forged,
    unchecked,
  };
}

/** As far as both say (RFC 5280, 4.2.1.1 and 4.2.1.2). */
function identifies({ authorityKeyId }: Certificate, { keyId }: Certificate): boolean {
  return !authorityKeyId || !keyId || sameBytes(authorityKeyId, keyId);
}

/** A client that knows the root needs no more; one that does not needs the other way first. */
function crossSignedFirst({ info: a }: Certificate, { info: b }: Certificate): number {
  return Number(a.selfIssued) - Number(b.selfIssued) ||
    Date.parse(b.notAfter) - Date.parse(a.notAfter) ||
    (a.sha256 < b.sha256 ? -1 : 1);
}
