/** Every certificate that disk holds or that is to be served: what it is, whether HAProxy serves it, who renews it. */
import { basename, join } from "node:path";
import { checkPem, type UsablePem } from "../certificates/check.ts";
import { MAX_PEM } from "../certificates/pem.ts";
import type { Files } from "../config.ts";
import { AgentError } from "../errors.ts";
import { parseDomain } from "../names/domain.ts";
import { certificateDifferences, lookAtCertificates } from "../reconcile/running_certificates.ts";
import type { RuntimeClient } from "../runtime/connection.ts";
import type { RunningCertificate } from "../runtime/parse_ssl.ts";
import type { RootFiles, Signature } from "../sandbox/files.ts";
import type { CertificateRecord } from "../state/certificates_file.ts";
import { linesByFile } from "../state/certificate_lists.ts";
import { type CrtListLine, parseCrtListFile } from "../state/crt_list_file.ts";
import { domainOfFile } from "../transaction/certificates/lists.ts";
import type { CertificateChanges } from "../transaction/certificates/change.ts";
import type { CertificateTurn } from "../transaction/certificates/request.ts";

/** The certificate and its chain, without the key. */
export type Known = Omit<UsablePem, "text">;

export interface InventoryEntry {
  /** The file's name without `.pem`: a domain, or a name such as `default`. */
  readonly name: string;
  /** The PEM's path on this machine. */
  readonly file: string;
  readonly known?: Known;
  /** Why the file can't be used, or HAProxy's side not be seen. */
  readonly problem?: string;
  /** The lines of the crt-list that name it. */
  readonly lines: readonly CrtListLine[];
  /** How the crt-list spells the PEMs' folder. */
  readonly folders: readonly string[];
  /** certificates.json names it. */
  readonly wanted: boolean;
  readonly record?: CertificateRecord;
  /** HAProxy serves just this one; null: it was not asked, or does not answer. */
  readonly loaded: boolean | null;
  /** What HAProxy has under its name, whether or not a crt-list's line leads to it. */
  readonly running?: RunningCertificate;
}

export interface Inventory {
  /** All of them, by name. Throws STATE_CORRUPT or STATE_IO for the crt-list and certificates.json. */
  all(options?: InventoryOptions): Promise<InventoryEntry[]>;
  /** One of them; undefined: no file and no list knows it. */
  one(name: string, options?: InventoryOptions): Promise<InventoryEntry | undefined>;
}

export interface InventoryOptions {
  /** @default {true} */
  readonly askHaproxy?: boolean;
  readonly signal?: AbortSignal;
}

export interface InventoryParts {
  readonly files: RootFiles;
  readonly paths: Files;
  readonly runtime: RuntimeClient;
  readonly changes: Pick<CertificateChanges, "known">;
  readonly turn: CertificateTurn;
}

const READ_AT_ONCE = 32;

type Content = { readonly known?: Known; readonly problem?: string };

export function inventory({ files, paths, runtime, changes, turn }: InventoryParts): Inventory {
  const seen = new Map<string, Content & { readonly signature: Signature }>();

  /** Read again only once it was written again. */
  async function look(file: string): Promise<Content> {
    const signature = files.signature(file);
    const before = seen.get(file);
    if (before?.signature === signature) return before;
    const now = { signature, ...await examine(file) };
    seen.set(file, now);
    return now;
  }

  async function examine(file: string): Promise<Content> {
    try {
      const text = await files.read(file, MAX_PEM);
      if (text === undefined) return { problem: `${file} is missing.` };
      const { certificate, chain, warnings } = await checkPem(text, { file, allowExpired: true });
      return { known: { certificate, chain, warnings } };
    } catch (cause) {
      return { problem: AgentError.from(cause).message };
    }
  }

  async function entries(only?: string): Promise<InventoryEntry[]> {
    const all = parseCrtListFile(await files.read(paths.crtList) ?? "", paths.crtList);
    const { lines, ambiguous, folders } = linesByFile(all, paths);
    const json = await changes.known();
    const inFolder = (await files.names(paths.certsFolder))
      .filter((name) => name.endsWith(".pem") && !name.startsWith("."));
    const names = [
      ...new Set([
        ...inFolder,
        ...lines.keys().map((file) => basename(file)),
        ...json.domains.map((domain) => `${domain}.pem`),
      ]),
    ].filter((name) => only === undefined || name === `${only}.pem`).sort();
    const found: InventoryEntry[] = [];
    for (let at = 0; at < names.length; at += READ_AT_ONCE) {
      found.push(
        ...await Promise.all(
          names.slice(at, at + READ_AT_ONCE).map(async (name) => {
            const file = join(paths.certsFolder, name);
            const domain = domainOfFile(file);
            const record = domain === undefined ? undefined : json.records.get(domain);
            const { known, ...content } = await look(file);
            const problem = ambiguous.get(file)?.message ?? content.problem ?? badName(name);
            return {
              name: basename(name, ".pem"),
              file,
              folders,
              lines: lines.get(file) ?? [],
              wanted: domain !== undefined && json.domains.includes(domain),
              loaded: null,
              ...(known && { known }),
              ...(problem !== undefined && { problem }),
              ...(record && { record }),
            };
          }),
        ),
      );
    }
    return found;
  }

  /** The same with HAProxy's side. Where HAProxy does not answer, or has no such crt-list, that is the problem. */
  async function asked(
    found: readonly InventoryEntry[],
    signal: AbortSignal | undefined,
  ): Promise<InventoryEntry[]> {
    const certificates = found.map(({ file, known, lines, folders }) => ({
      subject: basename(file),
      file,
      folders,
      fingerprint: known?.certificate.sha1 ?? "",
      serial: known?.certificate.serial ?? "",
      chain: known?.chain.length ?? 0,
      size: 0,
      lines,
      ...(lines.length > 0 && { path: lines[0].path }),
    }));
    try {
      const running = await turn(() =>
        runtime.converse(
          (talk) => lookAtCertificates(talk, certificates, paths.crtList),
          { signal, deadlineMs: LOOK_MS },
        )
      );
      const lacking = new Set(
        certificateDifferences(running).map(({ certificate }) => certificate),
      );
      return found.map((entry, i) => {
        const loaded = running.loaded.get(running.named[i].name);
        return {
          ...entry,
          loaded: entry.known !== undefined && !lacking.has(certificates[i]),
          ...(loaded && { running: loaded }),
        };
      });
    } catch (cause) {
      const { code, message } = AgentError.from(cause);
      if (code === "CANCELLED") throw cause;
      return found.map((entry) => ({ problem: message, ...entry }));
    }
  }

  async function list(
    only: string | undefined,
    { askHaproxy = true, signal }: InventoryOptions = {},
  ): Promise<InventoryEntry[]> {
    const found = await entries(only);
    return askHaproxy && found.length > 0 ? await asked(found, signal) : found;
  }

  return {
    all: (options) => list(undefined, options),
    one: async (name, options) => (await list(name, options)).at(0),
  };
}

/** What no tool could be told to load: it would look for another spelling. */
function badName(file: string): string | undefined {
  const name = basename(file, ".pem");
  if (/^[A-Za-z0-9_-]{1,63}$/.test(name)) return undefined;
  try {
    const domain = parseDomain(name);
    if (domain.name === name && !domain.wildcard) return undefined;
    return `Rename the file to ${domain.name.replace(/^\*\./, "")}.pem: so it is looked for.`;
  } catch {
    return "The file's name is no domain: rename it to DOMAIN.pem.";
  }
}

const LOOK_MS = 15_000;

/** Who renews it: where nothing is known of a domain of certificates.json, the original's files say so. */
export const isManaged = ({ wanted, record }: InventoryEntry): boolean =>
  wanted && record?.client !== "none";
