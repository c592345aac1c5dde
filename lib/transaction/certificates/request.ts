/** What a tool asks of the certificates' transaction, and what it gets. */
import type { UsablePem } from "../../certificates/check.ts";
import type { CertificateRecord } from "../../state/certificates_file.ts";
import type { Lock } from "../../state/lock.ts";
import type { Preview } from "../request.ts";

export interface CertificateRequest {
  readonly tool: string;
  /** Checks everything, changes nothing, answers what would change. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** `example.com`. */
  readonly domain: string;
}

export interface PutRequest extends CertificateRequest {
  readonly pem: UsablePem;
  /** What is kept of it; undefined: nothing is known beyond the domain, as in the original's files. */
  readonly record?: CertificateRecord;
  /** A line of the crt-list that has not all of the names gets another one beside it. */
  readonly complete: boolean;
  /** Sent although HAProxy serves it already. */
  readonly always?: boolean;
}

export interface PutOutcome {
  /** HAProxy had another one before. */
  readonly replaced: boolean;
  /** Something was written or sent, or with a dry run would be. */
  readonly changed: boolean;
  readonly preview?: Preview;
}

export interface RemoveOutcome {
  /** `HAProxy`, and the files that named or held it. */
  readonly deletedFrom: readonly string[];
  readonly preview?: Preview;
}

/**
 * One at a time, in this process and in others, who asks or tells HAProxy about certificates: it answers others with a
 * refusal meanwhile, and 3.4 may then refuse everybody until it is reloaded. Taken inside the file lock and before a
 * conversation, never the other way round: who waits here must hold none of the few connections.
 */
export type CertificateTurn = Lock["hold"];
