/** Domain names: what is accepted, in one spelling each, and their keys in the map. */
import { domainToASCII } from "node:url";
import { AgentError } from "../errors.ts";

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** RFC 1035, 3.1: 255 octets on the wire are 253 characters in text. */
const MAX_LENGTH = 253;

export interface Domain {
  /** Lower case, A-labels, no trailing dot; a wildcard is `*.example.com`. */
  readonly name: string;
  readonly wildcard: boolean;
  /** The map's key: `example.com`, or `.example.com` for the wildcard. */
  readonly key: string;
}

/**
 * A domain as a caller types it: upper case, IDN and one trailing dot are brought to the one spelling.
 * Throws VALIDATION for everything that is not a host name of at least two labels (RFC 1035, RFC 1123).
 */
export function parseDomain(text: string): Domain {
  const refuse = (why: string) =>
    new AgentError(
      "VALIDATION",
      `domain ${JSON.stringify(text.slice(0, 300))} can't be used: ${why}.`,
      {
        hint: "Give a host name such as www.example.com, or *.example.com for the wildcard.",
      },
    );
  const wildcard = text.startsWith("*.");
  const typed = (wildcard ? text.slice(2) : text).replace(/\.$/, "");
  // The ASCII path first: domainToASCII also decodes, maps and strips, which must not rescue a bad name.
  // deno-lint-ignore no-control-regex -- the control characters are what it looks for
  const base = /^[\x00-\x7f]*$/.test(typed) ? typed.toLowerCase() : idn(typed);
  if (base === undefined) throw refuse("it has a character that no domain name may have");
  const labels = base.split(".");
  if (base === "") throw refuse("it is empty");
  const name = wildcard ? `*.${base}` : base;
  if (name.length > MAX_LENGTH) throw refuse(`it is longer than ${MAX_LENGTH} characters`);
  if (labels.length < 2) throw refuse("it needs at least two labels");
  const bad = labels.find((label) => !LABEL.test(label));
  if (bad !== undefined) {
    throw refuse(
      bad === ""
        ? "it has an empty label"
        : `${JSON.stringify(bad)} is not a label of letters, digits and inner hyphens (63 at most)`,
    );
  }
  // A last label of digits alone makes it an IPv4 address in some spelling (127.1, 300.1.1.1): WHATWG URL, "ends in a number".
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels[labels.length - 1])) {
    throw refuse("it reads as an IP address");
  }
  return { name, wildcard, key: wildcard ? `.${base}` : base };
}

/** A-labels of a name that holds letters beyond ASCII; undefined where UTS 46 refuses it. */
function idn(name: string): string | undefined {
  // Separators and the like would survive the mapping in another form: only letters, digits, marks, hyphens and dots pass.
  return /^[\p{L}\p{N}\p{M}.\-\u3002]+$/u.test(name) ? domainToASCII(name) || undefined : undefined;
}

/** The name that people read for a key of the map: `.example.com` is `*.example.com`. */
export function domainOfKey(key: string): string {
  return key.startsWith(".") ? `*${key}` : key;
}

/** The key of the wildcard that stands beside a plain domain's key. */
export function wildcardKey(key: string): string {
  return `.${key}`;
}
