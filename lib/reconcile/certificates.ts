/** Makes HAProxy serve the certificates that disk holds. What HAProxy has beyond them is left alone. */
import { AgentError } from "../errors.ts";
import { delCertificate, showCertificate, showCrtList } from "../runtime/commands.ts";
import type { Conversation } from "../runtime/connection.ts";
import type { Command } from "../runtime/encode.ts";
import { parseCertificate, parseCrtList } from "../runtime/parse_ssl.ts";
import { type Reply, texts } from "../runtime/replies.ts";
import type { CertificateFiles, DesiredCertificates } from "../state/certificates.ts";
import { firstFailure, notServed, refused } from "./certificate_errors.ts";
import { listing, NOT_READ, planCertificates, storing } from "./certificate_plan.ts";
import type { Convergence } from "./converge.ts";
import { type CertificateDifference, isServed } from "./running_certificates.ts";
import type { Drift, Subject } from "./subject.ts";

export interface CertificateOptions {
  /** The crt-list's path on this machine. */
  readonly crtList: string;
}

/** So many PEMs are in memory, and on their way to HAProxy, at once. */
const BATCH = 50;
const READ_AT_ONCE = 200;

/**
 * Compares; sends nothing that changes anything. The commands come without their payloads. Throws
 * HAPROXY_UNREACHABLE.
 */
export async function certificateDrift(
  conversation: Conversation,
  desired: DesiredCertificates,
  { crtList }: CertificateOptions,
): Promise<Drift> {
  const plan = await planCertificates(conversation, desired, crtList);
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
  desired: DesiredCertificates,
  source: Pick<CertificateFiles, "pem">,
  { crtList }: CertificateOptions,
): Promise<Convergence> {
  const { list, sendable, problems: known } = await planCertificates(
    conversation,
    desired,
    crtList,
  );
  const problems = [...known];
  const packBatch = (at: number) => packAll(sendable.slice(at, at + BATCH), list, source, problems);
  const sent: Parcel[] = [];
  let next = packBatch(0);
  let before: Promise<void> = Promise.resolve();
  for (let at = 0; at < sendable.length; at += BATCH) {
    const batch = await next;
    // Two batches are on their way and the next one is read, so that HAProxy never waits for us.
    next = packBatch(at + BATCH);
    const sending = send(conversation, batch, problems).then((taken) => void sent.push(...taken));
    sending.catch(() => {});
    await before;
    before = sending;
  }
  await before;
  const changed: Subject[] = [];
  for (let at = 0; at < sent.length; at += READ_AT_ONCE) {
    const some = sent.slice(at, at + READ_AT_ONCE);
    changed.push(...await readBack(conversation, some, list, problems));
  }
  return { changed, problems };
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
  const { text, fingerprint, chain } = await source.pem(certificate.file);
  return { ...parcel, expected: { fingerprint, chain }, storing: storing(difference, text) };
}

/**
 * Sends a batch; answers those that HAProxy has taken. What belongs to one certificate goes in one exchange: a failed one is
 * aborted before the next one begins, and no line is added for an empty one.
 */
async function send(
  conversation: Conversation,
  batch: readonly Parcel[],
  problems: AgentError[],
): Promise<Parcel[]> {
  const work = batch.map(({ storing, listing }) => [...storing, ...listing]);
  const replies = await exchangeAll(conversation, work);
  const made: Parcel[] = [];
  const taken = batch.filter((parcel, i) => {
    const { difference, storing, listing } = parcel;
    // The abort matters only where a commit failed.
    const checked = [...storing.slice(0, -1), ...listing];
    const answers = [
      ...replies[i].slice(0, Math.max(0, storing.length - 1)),
      ...replies[i].slice(storing.length),
    ];
    const failure = firstFailure(checked, answers);
    if (failure === undefined) return true;
    problems.push(refused(difference.certificate.file, failure));
    if (difference.absent && replies[i][0].ok) made.push(parcel);
    return false;
  });
  await takeOut(conversation, made);
  return taken;
}

/** HAProxy keeps those that a line of the crt-list uses. */
async function takeOut(conversation: Conversation, parcels: readonly Parcel[]): Promise<void> {
  await conversation.exchange(parcels.map(({ difference: { name } }) => delCertificate(name)));
}

/** Answers those that HAProxy serves now. */
async function readBack(
  conversation: Conversation,
  batch: readonly Parcel[],
  list: string,
  problems: AgentError[],
): Promise<Subject[]> {
  if (batch.length === 0) return [];
  const look = [
    showCrtList(list),
    ...batch.map(({ difference }) => showCertificate(difference.name)),
  ];
  const [lines, ...shown] = await conversation.exchange(look);
  const listed = new Set(parseCrtList(texts(look, [lines])[0]).map(({ path }) => path));
  return batch.flatMap(({ difference, expected }, i) => {
    const reply = shown[i];
    const served = reply.ok && isServed(expected, parseCertificate(reply.text));
    if (served && listed.has(difference.name)) return [subjectOf(difference)];
    problems.push(notServed(difference.name));
    return [];
  });
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
