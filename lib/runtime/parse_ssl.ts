/** What the show commands on certificates and crt-lists answer, as data. */
import type { CrtListEntry } from "./commands.ts";
import { parseInfo } from "./parse.ts";

export interface CertificateNames {
  readonly names: ReadonlySet<string>;
  /** The certificate that an open transaction is about. */
  readonly transaction?: string;
}

/** `show ssl cert`: a name a line, after `# filename`; before it, under `# transaction`, `*` and a name. */
export function parseCertificateNames(text: string): CertificateNames {
  const all = lines(text).filter((line) => !line.startsWith("# "));
  const transaction = all.find((line) => line.startsWith("*"))?.slice(1);
  return {
    names: new Set(all.filter((line) => !line.startsWith("*"))),
    ...(transaction !== undefined && { transaction }),
  };
}

/** A certificate as HAProxy runs it. An empty store has a status alone. */
export interface RunningCertificate {
  /** `Used`, `Unused`, `Empty`; of an open transaction `Uncommitted`, on 3.0 `Unused`. */
  readonly status: string;
  /** Hexadecimal, upper case, as HAProxy writes it. */
  readonly serial?: string;
  /** ISO 8601 UTC. */
  readonly notAfter?: string;
  /** DNS names and addresses that the certificate is for. */
  readonly names: readonly string[];
  /** SHA-1 over the certificate's DER: hexadecimal, upper case, no colons. */
  readonly fingerprint?: string;
  /** How many certificates are served behind it. */
  readonly chain: number;
}

/** `show ssl cert F`: `Key: value` a line. */
export function parseCertificate(text: string): RunningCertificate {
  const fields = parseInfo(text);
  const { Status: status, Serial: serial, "SHA1 FingerPrint": fingerprint } = fields;
  if (status === undefined) throw new SyntaxError("show ssl cert has no Status");
  const end = new Date(fields.notAfter ?? "");
  return {
    status,
    ...(serial && { serial }),
    ...(!Number.isNaN(end.getTime()) && { notAfter: end.toISOString() }),
    names: (fields["Subject Alternative Name"] ?? "").split(", ").filter(Boolean)
      .map((name) => name.replace(/^(DNS|IP Address):/, "")),
    ...(fingerprint && { fingerprint: fingerprint.toUpperCase() }),
    chain: text.match(/^Chain Subject: /gm)?.length ?? 0,
  };
}

/** `show ssl crt-list`: a name a line, as HAProxy spells it. */
export function parseCrtLists(text: string): string[] {
  return [...new Set(lines(text))];
}

export interface RunningCrtListEntry extends CrtListEntry {
  /** Its number among the lines, which `del ssl crt-list` takes; not the file's once something was added or taken out. */
  readonly line: number;
}

/** `show ssl crt-list -n L`: `# L`, then `path:line [options] filters` a line, with a NUL after alpn's value. */
export function parseCrtList(text: string): RunningCrtListEntry[] {
  return lines(text.replaceAll("\0", "")).flatMap((line) => {
    const match = /^(?!# )(.+?):(\d+)(?: \[([^\]]*)\])?((?: \S+)*) *$/.exec(line);
    return match
      ? [{
        path: match[1],
        line: Number(match[2]),
        options: words(match[3] ?? ""),
        filters: words(match[4]),
      }]
      : [];
  });
}

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
