/** What the change of one certificate makes of the crt-list and of certificates.json. Pure. */
import { basename } from "node:path";
import type { CrtListEntry } from "../../runtime/commands.ts";
import {
  type CertificateRecord,
  type CertificatesFile,
  withoutDomain,
  withRecord,
} from "../../state/certificates_file.ts";
import { type CrtListLine, editCrtList, renderCrtListLine } from "../../state/crt_list_file.ts";

/** The crt-list as it is. */
export interface CrtListText {
  readonly text: string;
  readonly lines: readonly CrtListLine[];
}

export interface CrtListEdit {
  readonly text: string;
  /** The lines that the certificate has then. */
  readonly lines: readonly Pick<CrtListEntry, "options" | "filters">[];
  /** For people: `- line` and `+ line`. */
  readonly changes: readonly string[];
}

export interface Listed {
  /** As the crt-list spells the certificate's path, or is to. */
  readonly path: string;
  /** The lines that name it now. */
  readonly mine: readonly CrtListLine[];
}

export interface ListOptions {
  /** The certificate's names. */
  readonly names: readonly string[];
  /** The names that it had when we wrote its line. */
  readonly before?: readonly string[];
  /** A line that a person wrote for fewer names is completed by another one. */
  readonly complete: boolean;
}

/**
 * The crt-list with a line for the certificate. One that a person wrote stays as it is; one of ours follows the names, but
 * for the first of all, which HAProxy keeps as its default.
 */
export function listCertificate(
  { text, lines }: CrtListText,
  { path, mine }: Listed,
  { names, before, complete }: ListOptions,
): CrtListEdit {
  const line = (filters: readonly string[]): CrtListEntry => ({ path, options: [], filters });
  if (mine.length === 0) return edit(text, [], [line(names)], []);
  const [only] = mine;
  const isOurs = mine.length === 1 && only.options.length === 0 && before !== undefined &&
    sameSet(only.filters, before);
  if (isOurs && !sameSet(only.filters, names) && only.line !== lines[0].line) {
    return edit(text, [only], [line(names)], []);
  }
  // Without names of its own a line is for all that the certificate has.
  const all = mine.some(({ filters }) => filters.length === 0);
  const listed = new Set(mine.flatMap(({ filters }) => filters.map((name) => name.toLowerCase())));
  const missing = names.filter((name) => !listed.has(name) && !listed.has(`!${name}`));
  if (all || missing.length === 0 || !(complete || isOurs)) return edit(text, [], [], mine);
  return edit(text, [], [line(missing)], mine);
}

/** The crt-list without the certificate. */
export const unlistCertificate = ({ text }: CrtListText, { mine }: Listed): CrtListEdit =>
  edit(text, mine, [], []);

function edit(
  text: string,
  gone: readonly CrtListLine[],
  added: readonly CrtListEntry[],
  kept: readonly CrtListLine[],
): CrtListEdit {
  return {
    text: editCrtList(text, new Set(gone.map(({ line }) => line)), added),
    lines: [...kept, ...added],
    changes: [
      ...gone.map((line) => `- ${renderCrtListLine(line)}`),
      ...added.map((line) => `+ ${renderCrtListLine(line)}`),
    ],
  };
}

const sameSet = (a: readonly string[], b: readonly string[]) =>
  a.length === b.length && new Set([...a, ...b]).size === a.length;

/** The domain whose certificate a PEM file is, by its name; a file such as default.pem has none. */
export function domainOfFile(file: string): string | undefined {
  const name = basename(file, ".pem");
  return name.includes(".") ? name : undefined;
}

export interface JsonEdit {
  readonly file: CertificatesFile;
  readonly changes: readonly string[];
}

/** @param record undefined: what is known stays */
export function recordCertificate(
  file: CertificatesFile,
  domain: string,
  record: CertificateRecord | undefined,
): JsonEdit {
  const added = !file.domains.includes(domain);
  return {
    file: withRecord(file, domain, record, true),
    changes: added ? [`+ ${JSON.stringify(domain)}`] : [],
  };
}

export function forgetCertificate(file: CertificatesFile, domain: string): JsonEdit {
  const known = file.domains.includes(domain) || file.records.has(domain);
  return {
    file: withoutDomain(file, domain),
    changes: known ? [`- ${JSON.stringify(domain)}`] : [],
  };
}
