/** The certificates as a whole: read from disk anew each time, compared with HAProxy and sent. */
import type { Files } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import type { Convergence } from "../../reconcile/converge.ts";
import { certificateDrift, convergeCertificates } from "../../reconcile/certificates.ts";
import type { Drift } from "../../reconcile/subject.ts";
import { commandsOf, planTarget } from "../../reconcile/one_certificate.ts";
import type { Conversation, RuntimeClient } from "../../runtime/connection.ts";
import type { HaproxyProcess } from "../../runtime/process.ts";
import type { RootFiles } from "../../sandbox/files.ts";
import { certificateFiles } from "../../state/certificates.ts";
import type { CertificateChanges } from "./change.ts";
import type { CertificateTurn } from "./request.ts";
import { readOnDisk, targetOnDisk } from "./disk.ts";
import { listCertificate } from "./lists.ts";

/** Seconds: a running `serve` has met a new process by then. */
const JUST_STARTED_S = 10;

/** What disk holds of certificates. */
export interface CertificatesView {
  readonly count: number;
  /** Files that can't be used, each by its name: STATE_CORRUPT, STATE_IO, CERTIFICATE. */
  readonly problems: readonly AgentError[];
}

export interface CertificateKeeper {
  /** How many there are that can be used, as seen last. */
  readonly count: number;
  look(): Promise<CertificatesView>;
  /** In the caller's turn. */
  drift(conversation: Conversation): Promise<Drift>;
  /** In the caller's turn. Goes on after a refusal. */
  converge(conversation: Conversation, process: HaproxyProcess): Promise<Convergence>;
  /** What was cut off is finished first; what keeps it from that, else nothing. Under the lock. */
  finish(): Promise<readonly AgentError[]>;
  /** HAProxy serves what only certificates.json names: the crt-list names it from now on, too. Under the lock. */
  adopt(): Promise<void>;
}

export interface CertificateKeeperParts {
  readonly files: RootFiles;
  readonly paths: Files;
  readonly runtime: RuntimeClient;
  readonly changes: Pick<CertificateChanges, "finishHeld" | "staged">;
  readonly turn: CertificateTurn;
}

export function certificateKeeper(
  { files, paths, runtime, changes, turn }: CertificateKeeperParts,
): CertificateKeeper {
  const source = certificateFiles(files, paths);
  const { crtList } = paths;
  let count = 0;

  async function adoptOne(file: string): Promise<void> {
    const before = await readOnDisk(files, paths, file);
    const target = targetOnDisk(file, before);
    if (before.mine.length > 0 || target.wanted === undefined) return;
    const plan = await turn(() =>
      runtime.converse((talk) => planTarget(talk, target, { crtList }))
    );
    // One that HAProxy does not take would keep it from starting.
    if (commandsOf(plan).length > 0) return;
    const options = { names: [], complete: false };
    const { text } = listCertificate(before.list, { path: plan.name, mine: [] }, options);
    await files.replace(crtList, text);
  }

  return {
    get count() {
      return count;
    },
    async look() {
      const { certificates, problems, missing } = await source.read();
      count = certificates.length;
      const cutOff = await changes.staged().then(() => [], (cause) => [AgentError.from(cause)]);
      return { count, problems: [...cutOff, ...problems, ...missing] };
    },
    async drift(conversation) {
      const listed = await source.lists();
      const drift = await certificateDrift(conversation, listed, source, { crtList });
      count = Math.max(0, listed.certificates.length - drift.problems.length);
      return drift;
    },
    async converge(conversation, { uptime }) {
      const listed = await source.lists();
      const options = { crtList, justStarted: uptime <= JUST_STARTED_S };
      const convergence = await convergeCertificates(conversation, listed, source, options);
      count = Math.max(0, listed.certificates.length - convergence.problems.length);
      return convergence;
    },
    finish: () => changes.finishHeld().then(() => [], (cause) => [AgentError.from(cause)]),
    async adopt() {
      const { certificates } = await source.lists();
      for (const { file, path } of certificates) {
        if (path !== undefined) continue;
        // What is wrong with it was said when it was to be sent.
        await adoptOne(file).catch((cause) => log.debug(AgentError.from(cause).message));
      }
    },
  };
}
