/** What HAProxy and disk can differ in. */
import { counted } from "../counted.ts";
import type { AgentError } from "../errors.ts";

export const KINDS = ["domain", "server", "certificate"] as const;
export type Kind = typeof KINDS[number];

export interface Subject {
  readonly kind: Kind;
  /** The map's key (`example.com`, `.example.com`), the server (`pool_5_1`), the certificate's file. */
  readonly name: string;
}

/** Between disk and HAProxy. */
export interface Drift {
  readonly differences: readonly Subject[];
  /** What can't be brought in line: a slot that haproxy.cfg lacks, a certificate that can't be read. */
  readonly problems: readonly AgentError[];
  /** What would be sent. */
  readonly commands: readonly string[];
}

/** How many of each kind. */
export interface Counts {
  readonly domains: number;
  readonly servers: number;
  readonly certificates: number;
}

export function countKinds(subjects: readonly Subject[]): Counts {
  const count = (kind: Kind) => subjects.filter((subject) => subject.kind === kind).length;
  return {
    domains: count("domain"),
    servers: count("server"),
    certificates: count("certificate"),
  };
}

/** `1 domain and 2 servers`; kinds of which there is none are left out, unless there is none at all. */
export function countsInWords({ domains, servers, certificates }: Counts): string {
  const words = [
    [domains, "domain"] as const,
    [servers, "server"] as const,
    [certificates, "certificate"] as const,
  ].filter(([count]) => count > 0).map(([count, word]) => counted(count, word));
  if (words.length === 0) return "nothing";
  return words.length === 1 ? words[0] : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
