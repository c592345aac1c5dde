/** DER (X.690), as much of it as certificates and keys need: elements, and the values of a few. */

export type Bytes = Uint8Array<ArrayBuffer>;

export interface Element {
  /** The identifier octet: 0x30 a SEQUENCE, 0xa0 what stands under `[0]`. */
  readonly tag: number;
  readonly content: Bytes;
  /** Tag, length and content. */
  readonly der: Bytes;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
} as const;

/** How long the element is that begins here, tag and length included (8.1.3: definite form). */
export function elementLength(bytes: Uint8Array): number {
  const first = bytes[1];
  if (first < 0x80) return 2 + first;
  const octets = first & 0x7f;
  return bytes.subarray(2, 2 + octets).reduce((length, octet) => length * 256 + octet, 0) + 2 +
    octets;
}

/** The elements that stand one after the other. Throws SyntaxError. */
export function elements(bytes: Bytes): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const rest = bytes.subarray(at);
    const length = elementLength(rest);
    const header = 2 + (rest[1] < 0x80 ? 0 : rest[1] & 0x7f);
    // Also refuses NaN, which a lone tag gives, and 0x80, the indefinite form.
    if (!(length <= rest.length) || rest[1] === 0x80 || (rest[0] & 0x1f) === 0x1f) {
      throw new SyntaxError("an element of its DER is broken");
    }
    found.push({
      tag: rest[0],
      content: rest.subarray(header, length),
      der: rest.subarray(0, length),
    });
    at += length;
  }
  return found;
}

/** The one element that these bytes are. Throws SyntaxError. */
export function only(bytes: Bytes): Element {
  const all = elements(bytes);
  if (all.length !== 1) throw new SyntaxError("an element of its DER is not alone");
  return all[0];
}

/** The elements within one. Throws SyntaxError, also for another tag. */
export function inside(element: Element | undefined, tag: number): Element[] {
  return elements(contentOf(element, tag));
}

/** Throws SyntaxError for no element and for another tag. */
export function contentOf(element: Element | undefined, tag: number): Bytes {
  if (element?.tag === tag) return element.content;
  throw new SyntaxError(`its DER has no element ${tag.toString(16)} where there must be one`);
}

/** `2.5.4.3`. Throws SyntaxError. */
export function oidOf(element: Element | undefined): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const octet of contentOf(element, TAG.oid)) {
    arc = arc << 7n | BigInt(octet & 0x7f);
    if (octet >= 0x80) continue;
    arcs.push(arc);
    arc = 0n;
  }
  if (arcs.length === 0) throw new SyntaxError("an object identifier is empty");
  const [first, ...others] = arcs;
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - 40n * root, ...others].join(".");
}

/** What a BIT STRING of whole octets holds. Throws SyntaxError. */
export function bitsOf(element: Element | undefined): Bytes {
  const content = contentOf(element, TAG.bitString);
  if (content[0] !== 0) throw new SyntaxError("a bit string is not of whole octets");
  return content.subarray(1);
}

/** Of a positive INTEGER. */
export function bitLength(content: Bytes): number {
  const first = content.findIndex((octet) => octet !== 0);
  return first < 0 ? 0 : (content.length - first) * 8 - Math.clz32(content[first]) + 24;
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}
