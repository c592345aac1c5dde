/** A thousand certificates in a second: one CA, a key and a certificate for each name, as openssl would make them. */
import * as asn1js from "asn1js";
import * as pkijs from "pkijs";

const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const COMMON_NAME = "2.5.4.3";
const SUBJECT_ALT_NAME = "2.5.29.17";
const DNS_NAME = 2;

export interface NamedPem {
  readonly name: string;
  /** Key, certificate, the CA's certificate. */
  readonly pem: string;
}

export async function manyCertificates(names: readonly string[]): Promise<NamedPem[]> {
  const caKeys = await newKeys();
  const ca = await sign("bench CA", caKeys.publicKey, "bench CA", caKeys.privateKey, 1);
  return await Promise.all(names.map(async (name, i) => {
    const keys = await newKeys();
    const certificate = await sign(name, keys.publicKey, "bench CA", caKeys.privateKey, i + 2);
    const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
    return { name, pem: block("PRIVATE KEY", new Uint8Array(key)) + certificate + ca };
  }));
}

const newKeys = () => crypto.subtle.generateKey(CURVE, true, ["sign", "verify"]);

async function sign(
  subject: string,
  publicKey: CryptoKey,
  issuer: string,
  privateKey: CryptoKey,
  serial: number,
): Promise<string> {
  const certificate = new pkijs.Certificate({
    version: 2,
    serialNumber: new asn1js.Integer({ value: serial }),
  });
  const named = (value: string) =>
    new pkijs.AttributeTypeAndValue({
      type: COMMON_NAME,
      value: new asn1js.Utf8String({ value }),
    });
  certificate.subject.typesAndValues.push(named(subject));
  certificate.issuer.typesAndValues.push(named(issuer));
  certificate.notBefore.value = new Date(Date.now() - 60_000);
  certificate.notAfter.value = new Date(Date.now() + 90 * 86_400_000);
  const altNames = new pkijs.GeneralNames({
    names: [new pkijs.GeneralName({ type: DNS_NAME, value: subject })],
  });
  certificate.extensions = [
    new pkijs.Extension({
      extnID: SUBJECT_ALT_NAME,
      critical: false,
      extnValue: altNames.toSchema().toBER(),
    }),
  ];
  await certificate.subjectPublicKeyInfo.importKey(publicKey);
  await certificate.sign(privateKey, "SHA-256");
  return block("CERTIFICATE", new Uint8Array(certificate.toSchema(true).toBER()));
}

function block(label: string, der: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...der));
  const lines = base64.match(/.{1,64}/g)!;
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
