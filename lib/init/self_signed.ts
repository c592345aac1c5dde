/** A self-signed certificate: what HAProxy shows for a name it has none for, so that port 443 works from the first start. */
import type { Certificate } from "pkijs";

/** No client trusts it; it says only that a domain has no certificate yet. */
const DEFAULT_NAME = "haproxy-mcp.invalid";
const YEARS = 10;
const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const COMMON_NAME = "2.5.4.3";
const SUBJECT_ALT_NAME = "2.5.29.17";
/** GeneralName's tag for a dNSName (RFC 5280, 4.2.1.6). */
const DNS_NAME = 2;

export interface SelfSignedOptions {
  /** @default {"haproxy-mcp.invalid"} */
  readonly name?: string;
  /** @default the present */
  readonly now?: Date;
}

/** A key and a certificate as HAProxy reads them: PEM, the key first, no blank line. */
export async function selfSignedPem(
  { name = DEFAULT_NAME, now = new Date() }: SelfSignedOptions = {},
): Promise<string> {
  const keys = await crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);
  const certificate = await unsigned(name, keys.publicKey, now);
  await certificate.sign(keys.privateKey, "SHA-256");
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const signed = new Uint8Array(certificate.toSchema(true).toBER());
  return pem("PRIVATE KEY", key) + pem("CERTIFICATE", signed);
}

async function unsigned(subject: string, publicKey: CryptoKey, now: Date): Promise<Certificate> {
  // Imported here alone: 400 kB that no other command should wait for.
  const [pkijs, asn1js] = await Promise.all([import("pkijs"), import("asn1js")]);
  const name = new pkijs.AttributeTypeAndValue({
    type: COMMON_NAME,
    value: new asn1js.Utf8String({ value: subject }),
  });
  const altNames = new pkijs.GeneralNames({
    names: [new pkijs.GeneralName({ type: DNS_NAME, value: subject })],
  });
  const certificate = new pkijs.Certificate({
    version: 2,
    serialNumber: new asn1js.Integer({ valueHex: serialNumber().buffer }),
    extensions: [
      new pkijs.Extension({
        extnID: SUBJECT_ALT_NAME,
        critical: false,
        extnValue: altNames.toSchema().toBER(),
      }),
    ],
  });
  certificate.subject.typesAndValues.push(name);
  certificate.issuer.typesAndValues.push(name);
  certificate.notBefore.value = now;
  const end = new Date(now);
  end.setUTCFullYear(now.getUTCFullYear() + YEARS);
  certificate.notAfter.value = end;
  await certificate.subjectPublicKeyInfo.importKey(publicKey);
  return certificate;
}

/** 127 random bits, positive and without a leading zero byte (RFC 5280, 4.1.2.2). */
function serialNumber(): Uint8Array<ArrayBuffer> {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = bytes[0] & 0x7f | 0x40;
  return bytes;
}

function pem(label: string, der: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...der));
  return [`-----BEGIN ${label}-----`, ...base64.match(/.{1,64}/g)!, `-----END ${label}-----`, ""]
    .join("\n");
}
