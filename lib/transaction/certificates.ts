/** The certificates as a whole: read from disk anew each time, compared with HAProxy and sent. */
import type { Files } from "../config.ts";
import type { AgentError } from "../errors.ts";
import type { Convergence } from "../reconcile/converge.ts";
import { certificateDrift, convergeCertificates } from "../reconcile/certificates.ts";
import type { Drift } from "../reconcile/subject.ts";
import type { Conversation } from "../runtime/connection.ts";
import type { CertificateFiles } from "../state/certificates.ts";
import type { CertificateChanges } from "./certificate_change.ts";

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
  drift(conversation: Conversation): Promise<Drift>;
  /** Goes on after a refusal. */
  converge(conversation: Conversation): Promise<Convergence>;
  /** What was cut off is finished first. Under the lock. */
  finish(): Promise<void>;
  /** HAProxy serves what only certificates.json names: the crt-list names it from now on, too. Under the lock. */
  adopt(): Promise<void>;
}

export function certificateKeeper(
  source: CertificateFiles,
  changes: Pick<CertificateChanges, "finishHeld" | "adoptHeld">,
  { crtList }: Pick<Files, "crtList">,
): CertificateKeeper {
  let count = 0;

  return {
    get count() {
      return count;
    },
    async look() {
      const { certificates, problems } = await source.read();
      count = certificates.length;
      return { count, problems };
    },
    drift: async (conversation) =>
      await certificateDrift(conversation, await source.lists(), source, { crtList }),
    async converge(conversation) {
      const listed = await source.lists();
      const convergence = await convergeCertificates(conversation, listed, source, { crtList });
      count = Math.max(0, listed.certificates.length - convergence.problems.length);
      return convergence;
    },
    finish: changes.finishHeld,
    async adopt() {
      const { certificates } = await source.lists();
      await changes.adoptHeld(
        certificates.filter(({ path }) => path === undefined).map(({ file }) => file),
      );
    },
  };
}
