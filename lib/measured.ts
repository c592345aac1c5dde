/** What the tools room measures for /metrics and /readyz: plain data. */
export interface Measured {
  readonly haproxy: {
    readonly up: boolean;
    /** Conversations with the Runtime API since the room's start. */
    readonly ok: number;
    readonly failed: number;
    readonly seconds: number;
  };
  /** What differs between disk and HAProxy; undefined: it can't be known. */
  readonly sync?: {
    readonly domains: number;
    readonly servers: number;
    readonly certificates: number;
    /** What can't be brought in line: a slot that haproxy.cfg lacks, a certificate that can't be read. */
    readonly problems: number;
  };
  /** Counts by disk; undefined: the files can't be read. */
  readonly domains?: number;
  readonly servers?: number;
  readonly certificates: readonly {
    readonly domain: string;
    /** null: the file can't be read. */
    readonly days: number | null;
    readonly failures: number;
  }[];
}
