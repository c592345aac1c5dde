/** What is to be sent so that HAProxy serves the certificates of disk, and what keeps it from that. */
import { basename } from "node:path";
import { AgentError } from "../errors.ts";
import {
  abortCertificate,
  addToCrtList,
  commitCertificate,
  newCertificate,
  setCertificate,
  showCrtLists,
} from "../runtime/commands.ts";
import type { Conversation } from "../runtime/connection.ts";
import { type Command, MAX_WITH_PAYLOAD } from "../runtime/encode.ts";
import { parseCrtLists } from "../runtime/parse_ssl.ts";
import { texts } from "../runtime/replies.ts";
import type { ListedCertificates } from "../state/certificates.ts";
import {
  type CertificateDifference,
  certificateDifferences,
  isServed,
  nameCertificates,
  type NamedCertificate,
  type RunningCertificates,
  showNamed,
} from "./running_certificates.ts";

export interface CertificatePlan {
  /** The crt-list, as HAProxy spells it. */
  readonly list: string;
  readonly differences: readonly CertificateDifference[];
  /** Those of the differences that can be mended, in the order in which they are sent. */
  readonly sendable: readonly CertificateDifference[];
  /** What HAProxy has; undefined where it can't be told. */
  readonly running?: RunningCertificates;
  readonly problems: readonly AgentError[];
}

/** For command lines alone: a PEM is read only to be sent. */
export const NOT_READ = "-----BEGIN CERTIFICATE-----\n";

/**
 * @param look looks into the PEMs of those that are compared
 * @param crtList the crt-list's path on this machine
 */
export async function planCertificates(
  conversation: Conversation,
  listed: ListedCertificates,
  look: (certificates: readonly NamedCertificate[], names: ReadonlySet<string>) => Promise<{
    readonly named: readonly NamedCertificate[];
    readonly problems: readonly AgentError[];
  }>,
  crtList: string,
): Promise<CertificatePlan> {
  const nothing = { list: "", differences: [], sendable: [] };
  const problems = [...listed.problems];
  if (!listed.hasLines) problems.push(...await lostList(conversation, crtList));
  if (listed.certificates.length === 0) return { ...nothing, problems };
  let running: RunningCertificates;
  try {
    const naming = await nameCertificates(conversation, listed.certificates, crtList);
    const looked = await look(naming.named, naming.names);
    problems.push(...looked.problems);
    running = await showNamed(conversation, { ...naming, named: looked.named });
  } catch (cause) {
    if (!(cause instanceof AgentError) || cause.code === "HAPROXY_UNREACHABLE") throw cause;
    return { ...nothing, problems: [...problems, cause] };
  }
  const differences = certificateDifferences(running);
  const tooLarge = differences.filter(isTooLarge);
  const fitting = differences.filter((difference) => !tooLarge.includes(difference));
  const outdated = fitting.filter((difference) => difference.outdated);
  const foreign = foreignTransaction(running, outdated);
  // One left half-way by ourselves goes first: every other would be refused while it is open.
  const first = running.transaction?.name;
  return {
    list: running.list,
    running,
    differences,
    sendable: fitting.filter((difference) => foreign === undefined || !difference.outdated)
      .sort((a, b) => Number(b.name === first) - Number(a.name === first)),
    problems: [
      ...problems,
      ...tooLarge.map(tooLargeError),
      ...(foreign === undefined ? [] : [foreignError(foreign, outdated)]),
    ],
  };
}

/** That a crt-list has no line is all right only where HAProxy uses none. */
async function lostList(conversation: Conversation, crtList: string): Promise<AgentError[]> {
  const commands = [showCrtLists()];
  const [lists] = texts(commands, await conversation.exchange(commands));
  const used = parseCrtLists(lists).some((list) => basename(list) === basename(crtList));
  return used ? [emptyList(crtList)] : [];
}

export function emptyList(crtList: string): AgentError {
  return new AgentError(
    "STATE_CORRUPT",
    `${crtList} is missing or has no line: HAProxy does not start with it.`,
    {
      hint:
        "Put back a good copy. What HAProxy has of it still: show ssl crt-list -n, by its Runtime API.",
    },
  );
}

/** Puts the certificate into HAProxy. The abort frees the transaction where the commit failed; else it is refused. */
export function storing({ name, absent }: CertificateDifference, pem: string): Command[] {
  return [
    ...(absent ? [newCertificate(name)] : []),
    setCertificate(name, pem),
    commitCertificate(name),
    abortCertificate(name),
  ];
}

export function listing({ lines }: CertificateDifference, list: string): Command[] {
  return lines.map((line) => addToCrtList(list, line));
}

/** HAProxy closes the connection at a longer command, and what was sent behind it is lost. */
export function isTooLarge(
  { outdated, name, certificate: { size = 0 } }: Omit<CertificateDifference, "lines" | "absent">,
): boolean {
  const around = setCertificate(name, NOT_READ).line.length + "\n%END%\n".length;
  return outdated && around + size > MAX_WITH_PAYLOAD;
}

export function tooLargeError(
  { certificate: { file, size = 0 } }: Pick<CertificateDifference, "certificate">,
): AgentError {
  return new AgentError(
    "CERTIFICATE",
    `${file} has ${size} bytes, too many for a running HAProxy: it takes ${MAX_WITH_PAYLOAD} with the command.`,
    {
      hint:
        "Leave out of the chain what clients have already (the root), or reload HAProxy: it reads the file itself then.",
      details: { file },
    },
  );
}

/**
 * The name that somebody else's open transaction is about, where it is in the way: HAProxy has one at a time. One that
 * would make what disk holds is taken for our own, cut off before its commit: carrying it out is what it was for.
 */
function foreignTransaction(
  { transaction }: RunningCertificates,
  outdated: readonly CertificateDifference[],
): string | undefined {
  if (transaction === undefined || outdated.length === 0) return undefined;
  const { name, pending } = transaction;
  const ours = pending !== undefined &&
    outdated.some((difference) =>
      difference.name === name && isServed(difference.certificate, pending)
    );
  return ours ? undefined : name;
}

export function foreignError(
  name: string,
  outdated: readonly Pick<CertificateDifference, "certificate">[],
): AgentError {
  const subjects = outdated.map(({ certificate }) => certificate.subject);
  const some = subjects.slice(0, 10).join(", ") + (subjects.length > 10 ? ", …" : "");
  return new AgentError(
    "CONFLICT",
    `HAProxy has an open transaction about ${name}, and until it ends takes none of: ${some}.`,
    {
      hint: `Whoever opened it has to end it: commit ssl cert ${name}, or abort ssl cert ${name}.`,
      details: { transaction: name, certificates: subjects },
    },
  );
}
