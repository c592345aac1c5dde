/** All checks, in the order in which they are shown. */
import { AgentError } from "../errors.ts";
import { AGENT_CHECKS } from "./agent.ts";
import { CERTIFICATES_CHECKS } from "./certificates.ts";
import { type Check, type Finding, type Outcome, Skip, skipped, type Status } from "./check.ts";
import { CONFIGURATION_CHECKS } from "./configuration.ts";
import { FILES_CHECKS } from "./files.ts";
import { HAPROXY_CHECKS } from "./haproxy.ts";
import type { Seen } from "./seen.ts";
import { SYSTEM_CHECKS } from "./system.ts";

export const CHECKS: readonly Check[] = [
  ...HAPROXY_CHECKS,
  ...CONFIGURATION_CHECKS,
  ...FILES_CHECKS,
  ...CERTIFICATES_CHECKS,
  ...SYSTEM_CHECKS,
  ...AGENT_CHECKS,
];

export interface Diagnosis {
  readonly checks: readonly Outcome[];
  readonly faults: number;
  readonly warnings: number;
}

/** Judges all that was seen; what one check meets keeps no other from being made. */
export function diagnose(seen: Seen, all: readonly Check[] = CHECKS): Diagnosis {
  const checks = all.map(({ name, group, judge }): Outcome => ({
    name,
    group,
    ...judged(() => judge(seen)),
  }));
  const count = (status: Status) => checks.filter((each) => each.status === status).length;
  return { checks, faults: count("fault"), warnings: count("warning") };
}

function judged(judge: () => Finding): Finding {
  try {
    return judge();
  } catch (cause) {
    if (cause instanceof Skip) return skipped(cause.message);
    return skipped(`doctor itself failed: ${AgentError.from(cause).message}`);
  }
}
