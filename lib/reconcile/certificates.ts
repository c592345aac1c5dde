/** Makes HAProxy serve the certificates that disk holds. What HAProxy has beyond them is left alone. */
import { AgentError } from "../errors.ts";
import {
  abortCertificate,
  delCertificate,
  showCertificate,
  showCrtList,
} from "../runtime/commands.ts";
import type { Conversation } from "../runtime/connection.ts";
import type { Command } from "../runtime/encode.ts";
import { parseCertificate, parseCrtList } from "../runtime/parse_ssl.ts";
import { type Reply, texts } from "../runtime/replies.ts";
import type { CertificateFiles, ListedCertificates } from "../state/certificates.ts";
import { firstFailure, notServed, refused } from "./certificate_errors.ts";
import {
  isTooLarge,
  listing,
  NOT_READ,
  planCertificates,
  storing,
  tooLargeError,
} from "./certificate_plan.ts";
import type { Convergence } from "./converge.ts";
import {
  type CertificateDifference,
  isServed,
  type NamedCertificate,
} from "./running_certificates.ts";
import { deletedCertificates, takeOutDeleted } from "./deleted_certificates.ts";
import type { Drift, Subject } from "./subject.ts";

export interface CertificateOptions {
  /** The crt-list's path on this machine. */
  readonly crtList: string;
}

export interface ConvergeCertificatesOptions extends CertificateOptions {
  /** HAProxy has just started: takes out what was deleted meanwhile (deleted_certificates.ts). */
  readonly justStarted: boolean;
}

/** So many PEMs are in memory, and on their way to HAProxy, at once. */
const BATCH = 50;
const FIRST_BATCH = 5;

/**
 * Compares; sends nothing that changes anything. The commands come without their payloads. Throws
 * HAPROXY_UNREACHABLE.
 */
export async function certificateDrift(
  conversation: Conversation,
  listed: ListedCertificates,
  source: Pick<CertificateFiles, "look">,
  { crtList }: CertificateOptions,
): Promise<Drift> {
  const plan = await planCertificates(conversation, listed, lookAt(source), crtList);
  return {
    differences: plan.differences.map(subjectOf),
    commands: plan.sendable.flatMap((difference) => [
      // Without the abort, which matters only where the commit fails.
      ...(difference.outdated ? storing(difference, NOT_READ).slice(0, -1) : []),
      ...listing(difference, plan.list),
    ]).map(({ line }) => line),
    problems: plan.problems,
  };
}

/**
 * Sends the differences, and nothing where there are none, and reads back. A certificate that HAProxy refuses is a
 * problem and stops none of the others; what HAProxy had of it is still served. Throws HAPROXY_UNREACHABLE.
 *
 * @param source where the PEMs come from that are sent
 */
export async function convergeCertificates(
  conversation: Conversation,
  listed: ListedCertificates,
  source: Pick<CertificateFiles, "look" | "pem" | "goneFile">,
  { crtList, justStarted }: ConvergeCertificatesOptions,
): Promise<Convergence> {
  // What HAProxy has nothing of is read when it is sent, and only then.
  const look = lookAt(source, (name, names) => names.has(name));
  const { list, running, sendable, problems: known } = await planCertificates(
    conversation,
    listed,
    look,
    crtList,
  );
  const problems = [...known];
  const batches = inBatches(sendable);
  const packNext = () => packAll(batches.shift() ?? [], list, source, problems);
  const sent: Parcel[] = [];
  let before: Promise<void> = Promise.resolve();
  for (let left = batches.length, next = packNext(); left > 0; left--) {
    const batch = await next;
    // Two batches are on their way and the next one is read, so that HAProxy never waits for us.
    next = packNext();
    const sending = send(conversation, batch, problems).then((taken) => void sent.push(...taken));
    sending.catch(() => {});
    await before;
    before = sending;
  }
  await before;
  const served = await keptInList(conversation, sent, list, problems);
  const deleted = justStarted && running
    ? deletedCertificates(running, listed, source, crtList)
    : [];
  const out = await takeOutDeleted(conversation, deleted, problems);
  return { changed: [...served.map(({ difference }) => subjectOf(difference)), ...out], problems };
}

/** Looks into the PEMs, and leaves those out that can't be used; the others stay as they are. */
function lookAt(
  source: Pick<CertificateFiles, "look">,
  isCompared: (name: string, names: ReadonlySet<string>) => boolean = () => true,
) {
  return async (named: readonly NamedCertificate[], names: ReadonlySet<string>) => {
    const compared = named.filter(({ name }) => isCompared(name, names));
    const { certificates, problems } = await source.look(
      compared.map(({ certificate }) => certificate),
    );
    const looked = new Map(certificates.map((each) => [each.file, each]));
    const rest = new Set(compared);
    return {
      named: named.flatMap((each) => {
        if (!rest.has(each)) return [each];
        const certificate = looked.get(each.certificate.file);
        return certificate ? [{ ...each, certificate }] : [];
      }),
      problems,
    };
  };
}

/** The first one is small, so that HAProxy has something to do at once. */
function inBatches<T>(all: readonly T[]): T[][] {
  const batches = all.length > 0 ? [all.slice(0, FIRST_BATCH)] : [];
  for (let at = FIRST_BATCH; at < all.length; at += BATCH) batches.push(all.slice(at, at + BATCH));
  return batches;
}

/** Those that can be sent; what keeps the others from it is added to the problems. */
async function packAll(
  differences: readonly CertificateDifference[],
  list: string,
  source: Pick<CertificateFiles, "pem">,
  problems: AgentError[],
): Promise<Parcel[]> {
  const packed = await Promise.allSettled(
    differences.map((difference) => pack(difference, list, source)),
  );
  return packed.flatMap((outcome) => {
    if (outcome.status === "fulfilled") return [outcome.value];
    problems.push(AgentError.from(outcome.reason));
    return [];
  });
}

/** A difference with all that is sent for it. */
interface Parcel {
  readonly difference: CertificateDifference;
  /** What HAProxy shall serve in the end. */
  readonly expected: Parameters<typeof isServed>[0];
  readonly storing: readonly Command[];
  readonly listing: readonly Command[];
}

/** Throws CERTIFICATE, STATE_IO or VALIDATION: the file may be another one by now. */
async function pack(
  difference: CertificateDifference,
  list: string,
  source: Pick<CertificateFiles, "pem">,
): Promise<Parcel> {
  const { certificate, outdated } = difference;
  const parcel = { difference, listing: listing(difference, list) };
  if (!outdated) return { ...parcel, expected: certificate, storing: [] };
  const { text, fingerprint, serial, chain } = await source.pem(certificate.file);
  const now = { ...difference, certificate: { ...certificate, size: text.length } };
  if (isTooLarge(now)) throw tooLargeError(now);
  return {
    ...parcel,
    expected: { fingerprint, serial, chain },
    storing: storing(difference, text),
  };
}

/**
 * Sends a batch and reads back; answers those that HAProxy has now. Without aborts first: a failed commit leaves its
 * transaction open, which is in the way of all that come behind it, so those are sent once more, each with its abort.
 */
async function send(
  conversation: Conversation,
  batch: readonly Parcel[],
  problems: AgentError[],
): Promise<readonly Parcel[]> {
  const first = await attempt(conversation, batch, (storing) => storing.slice(0, -1));
  if (first.failed.length === 0) return first.served;
  const again = first.failed.map(({ parcel }) => parcel);
  await conversation.exchange(again.map(({ difference: { name } }) => abortCertificate(name)));
  const second = await attempt(conversation, again, (storing) => storing);
  for (const { error } of second.failed) problems.push(error);
  await takeOut(
    conversation,
    // Of those that were absent, the ones whose store is of our making.
    second.failed.map(({ parcel }) => parcel).filter(({ difference, storing }) =>
      difference.absent && !storing.some(({ expects }) => expects === "new cert")
    ),
  );
  return [...first.served, ...second.served];
}

interface Attempt {
  readonly served: readonly Parcel[];
  readonly failed: readonly {
    /** What is left of it to be sent: a store is made once, and a line that is there would be added once more. */
    readonly parcel: Parcel;
    readonly error: AgentError;
  }[];
}

/** What belongs to one certificate goes in one exchange: no line is added for an empty one. */
async function attempt(
  conversation: Conversation,
  batch: readonly Parcel[],
  part: (storing: readonly Command[]) => readonly Command[],
): Promise<Attempt> {
  const work = batch.map(({ difference: { name }, storing, listing }) => [
    ...part(storing),
    ...listing,
    showCertificate(name),
  ]);
  const replies = await exchangeAll(conversation, work);
  const served: Parcel[] = [];
  const failed: Attempt["failed"][number][] = [];
  batch.forEach((parcel, i) => {
    const { difference: { certificate: { file }, name }, expected, storing, listing } = parcel;
    const commands = work[i].slice(0, -1);
    const done = new Set(commands.filter((_, at) => replies[i][at].ok));
    const shown = replies[i].at(-1)!;
    const failure = firstFailure(commands, replies[i]);
    if (failure === undefined && shown.ok && isServed(expected, parseCertificate(shown.text))) {
      return served.push(parcel);
    }
    failed.push({
      parcel: {
        ...parcel,
        storing: storing.filter((command) => command.expects !== "new cert" || !done.has(command)),
        listing: listing.filter((command) => !done.has(command)),
      },
      error: failure === undefined ? notServed(name) : refused(file, failure),
    });
  });
  return { served, failed };
}

/** Answers those that a line of the crt-list leads to. */
async function keptInList(
  conversation: Conversation,
  parcels: readonly Parcel[],
  list: string,
  problems: AgentError[],
): Promise<readonly Parcel[]> {
  if (parcels.length === 0) return [];
  const look = [showCrtList(list)];
  const [lines] = texts(look, await conversation.exchange(look));
  const listed = new Set(parseCrtList(lines).map(({ path }) => path));
  return parcels.filter(({ difference: { name } }) => {
    if (listed.has(name)) return true;
    problems.push(notServed(name));
    return false;
  });
}

/** HAProxy keeps those that a line of the crt-list uses. */
async function takeOut(conversation: Conversation, parcels: readonly Parcel[]): Promise<void> {
  await conversation.exchange(parcels.map(({ difference: { name } }) => delCertificate(name)));
}

const subjectOf = ({ certificate: { subject } }: CertificateDifference): Subject => ({
  kind: "certificate",
  name: subject,
});

/** The replies to each list of commands, all sent in one exchange. */
async function exchangeAll(
  conversation: Conversation,
  work: readonly (readonly Command[])[],
): Promise<Reply[][]> {
  const replies = await conversation.exchange(work.flat());
  let at = 0;
  return work.map(({ length }) => replies.slice(at, at += length));
}
