/** A certificate's ARI identifier as openssl has its parts (RFC 9773, 4.1). */
import { openPki } from "../../support/pki.ts";

export async function ariId(certificates: string): Promise<string> {
  await using pki = await openPki();
  await pki.write("leaf.pem", certificates);
  const text = await pki.openssl("x509", "-in", "leaf.pem", "-noout", "-text", "-serial");
  const aki = /Authority Key Identifier:\s+(?:keyid:)?([\dA-F:]+)/.exec(text)![1];
  const serial = /serial=([\dA-F]+)/.exec(text)![1];
  // A DER INTEGER whose first bit is set gets a zero byte in front.
  return `${encode(aki.replaceAll(":", ""))}.${
    encode(/^[89A-F]/.test(serial) ? `00${serial}` : serial)
  }`;
}

function encode(hex: string): string {
  const bytes = hex.match(/../g)!.map((byte) => parseInt(byte, 16));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
