/** Waits until the zone's servers show a challenge's values, so that the CA is not asked to look too early. */
import { AgentError } from "../../errors.ts";
import { log } from "../../log.ts";
import { pause } from "../../pause.ts";
import type { ChallengeSeen } from "./acts.ts";

const EVERY_MS = 1_000;
/** Where no server can be asked the CA is, after this much. */
const BLIND_MS = 5_000;

export interface Awaited {
  readonly domain: string;
  readonly values: readonly string[];
  /** Seconds; 0: not looked for. */
  readonly wait: number;
  readonly lookUp: (domain: string, signal: AbortSignal) => Promise<readonly ChallengeSeen[]>;
}

/** @throws {AgentError} ACME when they did not appear; the signal's reason */
export async function untilVisible(
  { domain, values, wait, lookUp }: Awaited,
  signal: AbortSignal,
): Promise<void> {
  if (wait === 0) return;
  const start = performance.now();
  let saw: Look, blind: boolean;
  while (true) {
    saw = await look(domain, lookUp, signal);
    const asked = saw.servers.filter(({ problem }) => problem === undefined);
    blind = asked.length === 0;
    if (!blind && asked.every((server) => shows(server, values))) return;
    const most = blind ? Math.min(BLIND_MS, wait * 1000) : wait * 1000;
    const left = most - (performance.now() - start);
    if (left <= 0) break;
    await pause(Math.min(EVERY_MS, left), signal);
  }
  if (blind) {
    const why = saw.problem ?? (saw.servers.map(describe).join("; ") || "there is none");
    log.warning(
      `No server of ${domain} can be asked for _acme-challenge.${domain} (${why}): ` +
        "the CA is asked to look all the same.",
    );
    return;
  }
  const servers = saw.servers.map(({ server, values, problem }) => ({
    server,
    values: [...values],
    ...problem !== undefined && { problem },
  }));
  throw new AgentError(
    "ACME",
    `The TXT record _acme-challenge.${domain} did not show the CA's values within ${wait} s: ${
      saw.servers.map(describe).join("; ")
    }.`,
    {
      hint:
        "Look whether the domain's name servers are the DNS provider's, or raise ACME_DNS_WAIT.",
      details: { expected: [...values], servers },
    },
  );
}

interface Look {
  readonly servers: readonly ChallengeSeen[];
  readonly problem?: string;
}

/** That main can't look is nothing to fail for. */
async function look(
  domain: string,
  lookUp: Awaited["lookUp"],
  signal: AbortSignal,
): Promise<Look> {
  try {
    return { servers: await lookUp(domain, signal) };
  } catch (cause) {
    signal.throwIfAborted();
    return { servers: [], problem: AgentError.from(cause).message };
  }
}

const shows = ({ values }: ChallengeSeen, wanted: readonly string[]) =>
  wanted.every((value) => values.includes(value));

function describe({ server, values, problem }: ChallengeSeen): string {
  if (problem !== undefined) return `${server} can't be asked (${problem})`;
  return `${server} has ${values.length > 0 ? values.join(", ") : "none"}`;
}
