/** What the files say of one certificate. */
import { join } from "node:path";
import { MAX_PEM, readPem } from "../../certificates/pem.ts";
import type { Files } from "../../config.ts";
import type { CertificateTarget } from "../../reconcile/one_certificate.ts";
import type { RootFiles } from "../../sandbox/files.ts";
import { linesByFile } from "../../state/certificate_lists.ts";
import { type CertificatesFile, parseCertificatesFile } from "../../state/certificates_file.ts";
import { type CrtListLine, parseCrtListFile } from "../../state/crt_list_file.ts";
import { type CrtListText, domainOfFile } from "./lists.ts";

export interface CertificateOnDisk {
  readonly list: CrtListText;
  /** How its lines spell the PEMs' folder. */
  readonly folders: readonly string[];
  /** The crt-list's lines that name it. */
  readonly mine: readonly CrtListLine[];
  readonly json: CertificatesFile;
  /** What its file holds, key included; undefined: there is none. */
  readonly pem?: string;
}

/** The file of a domain's certificate. */
export const pemFile = ({ certsFolder }: Pick<Files, "certsFolder">, domain: string): string =>
  join(certsFolder, `${domain}.pem`);

/** 0640 where the folder hands its group (HAProxy's) down to its files, else 0600. */
export async function pemMode(
  files: RootFiles,
  { certsFolder }: Pick<Files, "certsFolder">,
): Promise<number> {
  const SETGID = 0o2000;
  return ((await files.mode(certsFolder) ?? 0) & SETGID) !== 0 ? 0o640 : 0o600;
}

type Paths = Pick<Files, "certsFolder" | "certificates" | "crtList">;

/** Throws STATE_CORRUPT for a list or a JSON file that can't be read, CERTIFICATE where lines contradict, STATE_IO. */
export async function readOnDisk(
  files: RootFiles,
  paths: Paths,
  file: string,
): Promise<CertificateOnDisk> {
  const text = await files.read(paths.crtList) ?? "";
  const lines = parseCrtListFile(text, paths.crtList);
  const byFile = linesByFile(lines, paths);
  const ambiguous = byFile.ambiguous.get(file);
  if (ambiguous) throw ambiguous;
  const pem = await files.read(file, MAX_PEM);
  return {
    list: { text, lines },
    folders: byFile.folders,
    mine: byFile.lines.get(file) ?? [],
    json: await readCertificatesJson(files, paths),
    ...(pem !== undefined && { pem }),
  };
}

export async function readCertificatesJson(
  files: RootFiles,
  { certificates }: Pick<Paths, "certificates">,
): Promise<CertificatesFile> {
  const text = await files.read(certificates);
  return text === undefined
    ? { domains: [], records: new Map() }
    : parseCertificatesFile(text, certificates);
}

/** What HAProxy is to have of it, by the files. Throws CERTIFICATE for a PEM that can't be read. */
export function targetOnDisk(
  file: string,
  { mine, json, pem, folders }: CertificateOnDisk,
): CertificateTarget {
  const domain = domainOfFile(file);
  const isOurs = mine.length > 0 || (domain !== undefined && json.domains.includes(domain));
  const path = mine[0]?.path;
  return {
    file,
    folders,
    ...(path !== undefined && { path }),
    ...(pem !== undefined && isOurs && {
      wanted: {
        pem: readPem(pem, file),
        lines: mine.length > 0 ? mine : [{ options: [], filters: [] }],
      },
    }),
  };
}
