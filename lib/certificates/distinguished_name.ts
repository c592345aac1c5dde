/** Names of subjects and issuers as text (RFC 4514). */
import { contentOf, type Element, inside, oidOf, TAG } from "./der.ts";

/** As openssl calls them. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "street",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "title",
  "2.5.4.15": "businessCategory",
  "2.5.4.17": "postalCode",
  "2.5.4.42": "GN",
  "2.5.4.97": "organizationIdentifier",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
  "1.3.6.1.4.1.311.60.2.1.1": "jurisdictionL",
  "1.3.6.1.4.1.311.60.2.1.2": "jurisdictionST",
  "1.3.6.1.4.1.311.60.2.1.3": "jurisdictionC",
};
const BMP_STRING = 0x1e;
const UNIVERSAL_STRING = 0x1c;
const UTF8_STRING = 0x0c;

interface Attribute {
  readonly type: string;
  readonly value: string;
}

/** `CN=example.com, O=Example`: the last part first, as RFC 4514 has it, with openssl's spaces; "" for none. Throws SyntaxError. */
export function nameText(name: Element): string {
  return relativeNames(name).reverse().map((attributes) =>
    attributes.reverse().map(({ type, value }) => `${type}=${escape(value)}`).join(" + ")
  ).join(", ");
}

/** The last common name, as it is. Throws SyntaxError. */
export function commonName(name: Element): string | undefined {
  return relativeNames(name).flat().findLast(({ type }) => type === "CN")?.value;
}

function relativeNames(name: Element): Attribute[][] {
  return inside(name, TAG.sequence).map((set) =>
    inside(set, TAG.set).map((attribute) => {
      const [oid, value] = inside(attribute, TAG.sequence);
      const type = oidOf(oid);
      return { type: ATTRIBUTES[type] ?? type, value: textOf(value) };
    })
  );
}

function textOf(value: Element | undefined): string {
  if (value === undefined) return contentOf(value, UTF8_STRING) && "";
  switch (value.tag) {
    case UTF8_STRING:
      return new TextDecoder().decode(value.content);
    case BMP_STRING:
      return new TextDecoder("utf-16be").decode(value.content);
    case UNIVERSAL_STRING:
      return new TextDecoder("utf-16be").decode(value.content.filter((_, i) => i % 4 > 1));
    default:
      return new TextDecoder("latin1").decode(value.content);
  }
}

/** RFC 4514, 2.4. Control characters too, which could pass for lines of their own. */
function escape(value: string): string {
  return value.replace(/[,+"\\<>;]|^[# ]| $/g, "\\$&")
    .replace(
      /\p{Cc}/gu,
      (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`,
    );
}
