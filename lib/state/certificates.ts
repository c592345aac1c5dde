/**
 * The certificates that HAProxy shall serve, as disk holds them: those of the crt-list, and those of certificates.json
 * whose PEM is there. People and other programs write these files too, so every use begins with a look at them.
 */
import { basename, join } from "node:path";
import { MAX_PEM, type Pem, readPem } from "../certificates/pem.ts";
import type { Files } from "../config.ts";
import { AgentError } from "../errors.ts";
import type { CrtListEntry } from "../runtime/commands.ts";
import type { RootFiles, Signature } from "../sandbox/files.ts";
import { parseCertificatesFile } from "./certificates_file.ts";
import { linesByFile } from "./certificate_lists.ts";
import { parseCrtListFile } from "./crt_list_file.ts";

/** A certificate as the crt-list and certificates.json name it. */
export interface ListedCertificate {
  /** The PEM file's name, `example.com.pem`: what people call the certificate. */
  readonly subject: string;
  /** The PEM's path on this machine. */
  readonly file: string;
  /** As the crt-list spells it; undefined: no line names it. */
  readonly path?: string;
  /** What the lines say, several where one certificate has several; none where no line names it. */
  readonly lines: readonly Pick<CrtListEntry, "options" | "filters">[];
  /** How the crt-list spells the folder of the PEMs; needed where no line names this one. */
  readonly folders: readonly string[];
}

/** What tells whether HAProxy serves this certificate. The PEM itself is read when it is sent, and never kept. */
export interface CertificateContent extends Pick<Pem, "fingerprint" | "serial" | "chain"> {
  /** Bytes of the PEM as it is sent. */
  readonly size: number;
}

export interface DesiredCertificate extends ListedCertificate, CertificateContent {}

export interface ListedCertificates {
  readonly certificates: readonly ListedCertificate[];
  /** Lists that can't be read, each by its name: STATE_CORRUPT, STATE_IO, CERTIFICATE. What they are about is left alone. */
  readonly problems: readonly AgentError[];
  /** Domains of certificates.json that have neither a line nor a PEM: CERTIFICATE. */
  readonly missing: readonly AgentError[];
  /** The crt-list has a line, or can't be read. HAProxy does not start with one that has none. */
  readonly hasLines: boolean;
}

export interface DesiredCertificates {
  readonly certificates: readonly DesiredCertificate[];
  /** Files that can't be used, each by its name: STATE_CORRUPT, STATE_IO, CERTIFICATE. What they are about is left alone. */
  readonly problems: readonly AgentError[];
}

export interface CertificateFiles {
  /** What the lists say. Never throws for what a file holds or lacks. */
  lists(): Promise<ListedCertificates>;
  /** Looks into the PEMs of these; what can't be used is left out, and is a problem. A PEM is read again only once it was written again. */
  look(certificates: readonly ListedCertificate[]): Promise<DesiredCertificates>;
  /** Both, of all. */
  read(): Promise<DesiredCertificates & Pick<ListedCertificates, "missing">>;
  /** Key, certificate and chain. Throws CERTIFICATE or STATE_IO. */
  pem(file: string): Promise<Pem>;
  /** Where on this machine the PEM would lie that HAProxy knows by this path; undefined where one lies there. */
  goneFile(path: string): string | undefined;
}

/** Bytes of a file: enough for thousands of lines. */
const MAX_LIST = 16 * 1024 * 1024;
const READ_AT_ONCE = 32;

/** What of a PEM is kept. */
interface Known extends CertificateContent {
  readonly signature: Signature;
}

export function certificateFiles(
  files: RootFiles,
  paths: Pick<Files, "certsFolder" | "certificates" | "crtList">,
): CertificateFiles {
  const seen = new Map<string, Known>();

  async function pem(file: string): Promise<Pem> {
    const text = await files.read(file, MAX_PEM);
    if (text !== undefined) return readPem(text, file);
    throw new AgentError("CERTIFICATE", `${file} is missing.`, {
      hint: "Put the PEM there. While the crt-list names it, HAProxy does not start without it.",
      details: { file },
    });
  }

  /** The signature is taken first: what is written in the meantime is read the next time. */
  async function look(file: string): Promise<Known> {
    const signature = files.signature(file);
    const before = seen.get(file);
    if (before?.signature === signature) return before;
    const { text, fingerprint, serial, chain } = await pem(file);
    return { signature, fingerprint, serial, chain, size: text.length };
  }

  async function lookAt(listed: readonly ListedCertificate[]): Promise<DesiredCertificates> {
    const certificates: DesiredCertificate[] = [];
    const problems: AgentError[] = [];
    for (let at = 0; at < listed.length; at += READ_AT_ONCE) {
      const some = listed.slice(at, at + READ_AT_ONCE);
      const looks = await Promise.allSettled(some.map(({ file }) => look(file)));
      looks.forEach((outcome, i) => {
        if (outcome.status === "rejected") return problems.push(AgentError.from(outcome.reason));
        seen.set(some[i].file, outcome.value);
        const { fingerprint, serial, chain, size } = outcome.value;
        certificates.push({ ...some[i], fingerprint, serial, chain, size });
      });
    }
    return { certificates, problems };
  }

  /** What a file says, or nothing and a problem. */
  async function parsed<T>(
    file: string,
    parse: (text: string, path: string) => T,
    problems: AgentError[],
  ): Promise<T | undefined> {
    try {
      // Nor need there be a folder.
      if (files.signature(file) === "missing") return undefined;
      const text = await files.read(file, MAX_LIST);
      return text === undefined ? undefined : parse(text, file);
    } catch (cause) {
      problems.push(AgentError.from(cause));
    }
  }

  async function lists(): Promise<ListedCertificates> {
    const problems: AgentError[] = [];
    const lines = await parsed(paths.crtList, parseCrtListFile, problems) ?? [];
    // Without its lines nobody knows how a certificate is to be served.
    if (problems.length > 0) return { certificates: [], problems, missing: [], hasLines: true };
    const json = await parsed(paths.certificates, parseCertificatesFile, problems);
    const named = linesByFile(lines, paths);
    problems.push(...named.ambiguous.values());
    const listless = (json?.domains ?? []).map((domain) => join(paths.certsFolder, `${domain}.pem`))
      .filter((file) => !named.lines.has(file));
    const unnamed = listless.filter(exists);
    const missing = listless.filter((file) => !unnamed.includes(file)).map((file) =>
      new AgentError("CERTIFICATE", `${paths.certificates} wants ${file}, which is missing.`, {
        hint: "haproxy_issue_cert orders one; haproxy_delete_cert forgets the domain.",
      })
    );
    const files = new Set([...named.lines.keys(), ...unnamed]);
    for (const file of named.ambiguous.keys()) files.delete(file);
    for (const file of seen.keys()) if (!files.has(file)) seen.delete(file);
    const { folders } = named;
    const certificates = Array.from(files, (file): ListedCertificate => {
      const lines = named.lines.get(file) ?? [];
      const path = lines[0]?.path;
      return { subject: basename(file), file, lines, folders, ...(path && { path }) };
    });
    return { certificates, problems, missing, hasLines: lines.length > 0 };
  }

  return {
    pem,
    goneFile(path) {
      const file = join(paths.certsFolder, basename(path));
      return exists(file) ? undefined : file;
    },
    lists,
    look: lookAt,
    async read() {
      const listed = await lists();
      const { certificates, problems } = await lookAt(listed.certificates);
      const { missing } = listed;
      return { certificates, problems: [...listed.problems, ...problems], missing };
    },
  };

  /** A folder that can't be looked into is reported with the file that is read from it. */
  function exists(file: string): boolean {
    try {
      return files.signature(file) !== "missing";
    } catch {
      return true;
    }
  }
}
