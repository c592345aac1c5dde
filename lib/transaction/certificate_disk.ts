/** What the files say of one certificate. */
import { basename, join } from "node:path";
import { readPem } from "../certificates/pem.ts";
import type { Files } from "../config.ts";
import type { CertificateTarget } from "../reconcile/one_certificate.ts";
import type { RootFiles } from "../sandbox/files.ts";
import { type CertificatesFile, parseCertificatesFile } from "../state/certificates_file.ts";
import { type CrtListLine, parseCrtListFile } from "../state/crt_list_file.ts";
import { type CrtListText, domainOfFile } from "./certificate_files.ts";

export interface CertificateOnDisk {
  readonly list: CrtListText;
  /** The crt-list's lines that name it. */
  readonly mine: readonly CrtListLine[];
  readonly json: CertificatesFile;
  /** What its file holds, key included; undefined: there is none. */
  readonly pem?: string;
}

export interface CertificateDisk {
  /** Throws STATE_CORRUPT for a list or a JSON file that can't be read, STATE_IO. */
  read(file: string): Promise<CertificateOnDisk>;
  /** What HAProxy is to have of it. Throws CERTIFICATE as well. */
  target(file: string): Promise<CertificateTarget>;
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

/** @param instead where a file's text lies that is not in its place yet; while it is there, it is what counts */
export function certificateDisk(
  files: RootFiles,
  paths: Pick<Files, "certsFolder" | "certificates" | "crtList">,
  instead: ReadonlyMap<string, string | null> = new Map(),
): CertificateDisk {
  async function text(path: string): Promise<string | undefined> {
    const staged = instead.get(path);
    if (staged === null) return undefined;
    const early = staged === undefined ? undefined : await files.read(staged);
    return early ?? await files.read(path);
  }

  async function read(file: string): Promise<CertificateOnDisk> {
    const [list, json, pem] = [
      await text(paths.crtList) ?? "",
      await text(paths.certificates),
      await text(file),
    ];
    const lines = parseCrtListFile(list, paths.crtList);
    return {
      list: { text: list, lines },
      mine: lines.filter(({ path }) => basename(path) === basename(file)),
      json: json === undefined
        ? { domains: [], records: new Map() }
        : parseCertificatesFile(json, paths.certificates),
      ...(pem !== undefined && { pem }),
    };
  }

  return {
    read,
    async target(file) {
      const { mine, json, pem } = await read(file);
      const domain = domainOfFile(file);
      const isOurs = mine.length > 0 || (domain !== undefined && json.domains.includes(domain));
      const path = mine[0]?.path;
      return {
        file,
        ...(path !== undefined && { path }),
        ...(pem !== undefined && isOurs && {
          wanted: {
            pem: readPem(pem, file),
            lines: mine.length > 0 ? mine : [{ options: [], filters: [] }],
          },
        }),
      };
    },
  };
}
