/** What HAProxy serves of the certificates that disk holds, and what it lacks of them. */
import { basename, dirname, join, relative } from "node:path";
import { AgentError } from "../errors.ts";
import {
  type CrtListEntry,
  showCertificate,
  showCertificates,
  showCrtList,
  showCrtLists,
  showPendingCertificate,
} from "../runtime/commands.ts";
import type { Conversation } from "../runtime/connection.ts";
import {
  parseCertificate,
  parseCertificateNames,
  parseCrtList,
  parseCrtLists,
  type RunningCertificate,
  type RunningCrtListEntry,
} from "../runtime/parse_ssl.ts";
import type { Command } from "../runtime/encode.ts";
import { type Reply, texts } from "../runtime/replies.ts";
import { pause } from "../pause.ts";
import { isLocked, lockedError } from "./certificate_errors.ts";
import type { CertificateContent, ListedCertificate } from "../state/certificates.ts";

/** One whose PEM was looked into, or need not be: HAProxy has nothing of it. */
export type CertificateToLookAt = ListedCertificate & Partial<CertificateContent>;

/** A certificate of disk under the name that it has in HAProxy. */
export interface NamedCertificate {
  readonly certificate: CertificateToLookAt;
  readonly name: string;
}

export interface RunningCertificates {
  /** The crt-list, as HAProxy spells it. */
  readonly list: string;
  readonly entries: readonly RunningCrtListEntry[];
  /** Those that HAProxy has, by name. */
  readonly loaded: ReadonlyMap<string, RunningCertificate>;
  readonly named: readonly NamedCertificate[];
  /** The certificate that an open transaction is about, and what the transaction would make of it where that is asked. */
  readonly transaction?: { readonly name: string; readonly pending?: RunningCertificate };
}

/**
 * HAProxy's own spelling of the crt-list's path. Inside a container it differs from the host's, so the file's name
 * decides; two spellings are two lists, and then nobody can tell which one serves.
 */
export function chooseCrtList(lists: readonly string[], file: string): string {
  const candidates = lists.filter((list) => basename(list) === basename(file));
  if (candidates.length === 1) return candidates[0];
  if (candidates.length === 0) {
    throw new AgentError(
      "HAPROXY_REJECTED",
      `HAProxy uses no crt-list ${basename(file)}; it has ${lists.join(", ") || "none"}.`,
      {
        hint: `Let a bind line of haproxy.cfg say: ssl crt-list ${file}.`,
        details: { crt_lists: lists },
      },
    );
  }
  throw new AgentError(
    "CONFLICT",
    `HAProxy has ${candidates.length} crt-lists by this name: ${candidates.join(", ")}.`,
    {
      hint: "Spell the path alike everywhere in haproxy.cfg.",
      details: { crt_lists: candidates },
    },
  );
}

const LOCKED_MS = 3_000;
const AGAIN_MS = 50;

/** Asks again while somebody else is at the certificates: what is refused for that is not absent. Throws CONFLICT. */
async function askUnlocked(
  conversation: Conversation,
  commands: readonly Command[],
): Promise<Reply[]> {
  const end = performance.now() + LOCKED_MS;
  for (;;) {
    const replies = await conversation.exchange(commands);
    if (replies.every((reply) => reply.ok || !isLocked(reply.message))) return replies;
    if (performance.now() >= end) throw lockedError();
    await pause(AGAIN_MS);
  }
}

/** The certificates under HAProxy's names, and which of these names it has. */
export interface CertificateNaming {
  readonly list: string;
  readonly named: readonly NamedCertificate[];
  readonly names: ReadonlySet<string>;
  readonly transaction?: string;
}

/**
 * One exchange. Throws HAPROXY_REJECTED or CONFLICT where the crt-list isn't one of HAProxy's.
 *
 * @param crtList the crt-list's path on this machine
 */
export async function nameCertificates(
  conversation: Conversation,
  certificates: readonly CertificateToLookAt[],
  crtList: string,
): Promise<CertificateNaming> {
  const commands = [showCrtLists(), showCertificates()];
  const [lists, all] = texts(commands, await askUnlocked(conversation, commands));
  const list = chooseCrtList(parseCrtLists(lists), crtList);
  const { names, transaction } = parseCertificateNames(all);
  const named = certificates.map((certificate) => ({
    certificate,
    name: nameOf(certificate, { list, crtList, names }),
  }));
  return { list, named, names, ...(transaction !== undefined && { transaction }) };
}

/** One exchange more, however many there are: what HAProxy has of them. */
export async function showNamed(
  conversation: Conversation,
  { list, named, names, transaction }: CertificateNaming,
): Promise<RunningCertificates> {
  const present = named.map(({ name }) => name).filter((name) => names.has(name));
  const ours = named.some(({ name }) => name === transaction) ? transaction : undefined;
  const commands: Command[] = [
    showCrtList(list),
    ...present.map(showCertificate),
    ...(ours === undefined ? [] : [showPendingCertificate(ours)]),
  ];
  const [lines, ...shown] = await askUnlocked(conversation, commands);
  const loaded = new Map<string, RunningCertificate>();
  present.forEach((name, i) => {
    // Deleted in between: absent, then.
    const reply = shown[i];
    if (reply.ok) loaded.set(name, parseCertificate(reply.text));
  });
  const pending = shown[present.length];
  return {
    list,
    entries: parseCrtList(texts(commands, [lines])[0]),
    loaded,
    named,
    ...(transaction !== undefined && {
      transaction: {
        name: transaction,
        ...(pending?.ok && { pending: parseCertificate(pending.text) }),
      },
    }),
  };
}

/** Both. Throws HAPROXY_REJECTED or CONFLICT where the crt-list isn't one of HAProxy's. */
export async function lookAtCertificates(
  conversation: Conversation,
  certificates: readonly CertificateToLookAt[],
  crtList: string,
): Promise<RunningCertificates> {
  return await showNamed(conversation, await nameCertificates(conversation, certificates, crtList));
}

interface Spelling {
  readonly list: string;
  readonly crtList: string;
  readonly names: ReadonlySet<string>;
}

/**
 * A line's path is HAProxy's own spelling. What no line names lies where the others lie; without others, as far from the
 * crt-list as it does on the host.
 */
export function nameOf(
  { file, path, folders }: Pick<ListedCertificate, "file" | "path" | "folders">,
  { list, crtList, names }: Spelling,
): string {
  if (path === undefined) {
    const [folder] = folders;
    return folders.length === 1 && folder.startsWith("/")
      ? join(folder, basename(file))
      : join(dirname(list), relative(dirname(crtList), file));
  }
  if (path.startsWith("/") || names.has(path)) return path;
  // HAProxy puts crt-base before relative ones.
  const based = [...names].filter((name) => name.endsWith(`/${path}`));
  return based.length === 1 ? based[0] : path;
}

/** What HAProxy lacks of one certificate. */
export interface CertificateDifference extends NamedCertificate {
  /** HAProxy has nothing of this name. */
  readonly absent: boolean;
  /** It is absent, or another one. */
  readonly outdated: boolean;
  /** The crt-list's lines that HAProxy lacks. */
  readonly lines: readonly CrtListEntry[];
}

export function certificateDifferences(running: RunningCertificates): CertificateDifference[] {
  const entries = Map.groupBy(running.entries, ({ path }) => path);
  return running.named.flatMap(({ certificate, name }) => {
    const loaded = running.loaded.get(name);
    const outdated = loaded === undefined || !isServed(certificate, loaded);
    const lines = missingLines(certificate, name, entries.get(name) ?? []);
    return outdated || lines.length > 0
      ? [{ certificate, name, absent: loaded === undefined, outdated, lines }]
      : [];
  });
}

/** Where the PEM has no chain, HAProxy may have found one (issuers-chain-path): that is as it should be. */
export function isServed(
  { fingerprint, serial, chain }: Partial<
    Pick<CertificateContent, "fingerprint" | "serial" | "chain">
  >,
  running: RunningCertificate,
): boolean {
  const same = running.fingerprint === undefined
    ? running.serial !== undefined && running.serial === serial
    : running.fingerprint === fingerprint;
  return same && (chain === 0 || running.chain === chain);
}

/**
 * A line counts as there when one of HAProxy's is for the same names. HAProxy writes options in an order of its own, so
 * those are not compared.
 */
export function missingLines(
  { lines, path }: ListedCertificate,
  name: string,
  entries: readonly RunningCrtListEntry[],
): CrtListEntry[] {
  if (path === undefined) {
    return entries.length > 0 ? [] : [{ path: name, options: [], filters: [] }];
  }
  const missing = new Map(lines.map((line) => [filterKey(line.filters), line]));
  return Array.from(missing.values())
    .filter(({ filters }) => !entries.some((entry) => sameFilters(entry.filters, filters)))
    .map(({ options, filters }) => ({ path: name, options, filters }));
}

const filterKey = (filters: readonly string[]) => [...filters].sort().join(" ");

export const sameFilters = (a: readonly string[], b: readonly string[]): boolean =>
  filterKey(a) === filterKey(b);
