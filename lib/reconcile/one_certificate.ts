/**
 * Brings one certificate of HAProxy to exactly what it shall be: its content, its lines of the crt-list and no others, or
 * nothing of it. New lines come before old ones go, so at every moment the names are served.
 */
import { basename, dirname } from "node:path";
import type { Pem } from "../certificates/pem.ts";
import { AgentError } from "../errors.ts";
import {
  type CrtListEntry,
  delCertificate,
  delFromCrtList,
  showCertificate,
  showCrtList,
} from "../runtime/commands.ts";
import type { Conversation } from "../runtime/connection.ts";
import type { Command } from "../runtime/encode.ts";
import { parseCertificate, parseCrtList } from "../runtime/parse_ssl.ts";
import { texts } from "../runtime/replies.ts";
import type { DesiredCertificate } from "../state/certificates.ts";
import { firstFailure, notServed, refused } from "./certificate_errors.ts";
import { foreignError, isTooLarge, listing, storing, tooLargeError } from "./certificate_plan.ts";
import { isServed, lookAtCertificates, missingLines, sameFilters } from "./running_certificates.ts";

export interface CertificateTarget {
  /** The PEM's path on this machine. */
  readonly file: string;
  /** As the crt-list spells it; undefined: no line names it, and its place beside the crt-list tells. */
  readonly path?: string;
  /** How the crt-list spells the PEMs' folder; needed without a path. */
  readonly folders: readonly string[];
  /** undefined: HAProxy shall have nothing of it. */
  readonly wanted?: {
    readonly pem: Pem;
    readonly lines: readonly Pick<CrtListEntry, "options" | "filters">[];
  };
}

export interface TargetPlan {
  /** HAProxy's names of the certificate and of the crt-list. */
  readonly name: string;
  readonly list: string;
  readonly target: CertificateTarget;
  /** HAProxy has nothing of this name. */
  readonly absent: boolean;
  readonly storing: readonly Command[];
  readonly adding: readonly Command[];
  readonly removing: readonly Command[];
}

export interface TargetOptions {
  /** The crt-list's path on this machine. */
  readonly crtList: string;
  /** Send the content also where HAProxy shows the same certificate: key or chain may differ. */
  readonly always?: boolean;
}

/**
 * Looks; sends nothing that changes anything. Throws HAPROXY_UNREACHABLE, HAPROXY_REJECTED or CONFLICT where the crt-list
 * isn't HAProxy's, CONFLICT where somebody has a transaction open, CERTIFICATE for a PEM that is too large.
 */
export async function planTarget(
  conversation: Conversation,
  target: CertificateTarget,
  { crtList, always = false }: TargetOptions,
): Promise<TargetPlan> {
  const certificate = asDesired(target);
  const { list, named: [{ name }], loaded, entries, transaction } = await lookAtCertificates(
    conversation,
    [certificate],
    crtList,
  );
  const { path, folders } = target;
  if (path === undefined && folders.length > 0 && !folders.includes(dirname(name))) {
    throw unclearFolder(target, crtList);
  }
  const running = loaded.get(name);
  const lines = entries.filter(({ path }) => path === name);
  const plan = { name, list, target, absent: running === undefined };
  const { wanted } = target;
  const foreign = transaction !== undefined && transaction.name !== name;
  if (wanted === undefined) {
    const removing = lines.map(({ line }) => delFromCrtList(list, name, line));
    if (running) removing.push(delCertificate(name));
    if (foreign && removing.length > 0) throw foreignError(transaction.name, [{ certificate }]);
    return { ...plan, storing: [], adding: [], removing };
  }
  const outdated = always || running === undefined || !isServed(certificate, running);
  if (isTooLarge({ certificate, name, outdated })) throw tooLargeError({ certificate });
  if (outdated && foreign) {
    throw foreignError(transaction.name, [{ certificate }]);
  }
  const difference = {
    certificate,
    name,
    absent: plan.absent,
    outdated,
    lines: missingLines(certificate, name, lines),
  };
  const surplus = lines.filter(({ filters }) =>
    !wanted.lines.some((line) => sameFilters(line.filters, filters))
  );
  return {
    ...plan,
    storing: outdated ? storing(difference, wanted.pem.text) : [],
    adding: listing(difference, list),
    removing: surplus.map(({ line }) => delFromCrtList(list, name, line)),
  };
}

/** What a plan would send, but for the abort that only matters where a commit fails. */
export function commandsOf({ storing, adding, removing }: TargetPlan): readonly Command[] {
  return [...storing.slice(0, -1), ...adding, ...removing];
}

/**
 * Sends the plan and reads back. Throws CERTIFICATE, REFUSED or HAPROXY_REJECTED at the first refusal: HAProxy may hold a
 * part of it then, but no open transaction.
 */
export async function carryOutTarget(conversation: Conversation, plan: TargetPlan): Promise<void> {
  const { name, target: { file, wanted }, storing, adding, removing } = plan;
  const send = async (commands: readonly Command[], checked = commands) => {
    const failure = firstFailure(checked, await conversation.exchange(commands));
    if (failure) throw refused(file, failure);
  };
  try {
    await send(storing, storing.slice(0, -1));
  } catch (cause) {
    // An empty store is left; one that a line of the crt-list uses stays.
    if (plan.absent) await conversation.exchange([delCertificate(name)]);
    throw cause;
  }
  await send(adding);
  await send(removing);
  if (commandsOf(plan).length === 0) return;

  const look = [showCrtList(plan.list), showCertificate(name)];
  const [list, shown] = await conversation.exchange(look);
  const lines = parseCrtList(texts(look, [list])[0]).filter(({ path }) => path === name);
  const right = wanted === undefined
    ? lines.length === 0 && !shown.ok
    : shown.ok && isServed(wanted.pem, parseCertificate(shown.text)) &&
      wanted.lines.every((line) => lines.some((each) => sameFilters(each.filters, line.filters)));
  if (!right) throw notServed(name);
}

function unclearFolder({ file, folders }: CertificateTarget, crtList: string): AgentError {
  const shown = folders.slice(0, 5).join(", ");
  return new AgentError(
    "CONFLICT",
    `${crtList} names certificates in ${shown}: where HAProxy sees ${file} can't be told.`,
    { hint: "Spell their paths alike, from the root on.", details: { folders } },
  );
}

function asDesired({ file, path, folders, wanted }: CertificateTarget): DesiredCertificate {
  return {
    subject: basename(file),
    file,
    ...(path !== undefined && { path }),
    fingerprint: wanted?.pem.fingerprint ?? "",
    serial: wanted?.pem.serial ?? "",
    chain: wanted?.pem.chain ?? 0,
    size: wanted?.pem.text.length ?? 0,
    lines: wanted?.lines ?? [],
    folders,
  };
}
