/** `serve` renews by itself: it looks about once a day, and as soon as something is due or may be tried again. */
import { isAhead } from "../certificates/renewal_time.ts";
import { AgentError } from "../errors.ts";
import { log } from "../log.ts";
import { isManaged } from "./inventory.ts";
import type { Issuer } from "./mod.ts";
import { isHeld } from "./rules.ts";

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
/** The first look comes a while after the start: many machines may be started together. */
const FIRST_MS = 60_000;
const FIRST_SPREAD_MS = 9 * 60_000;
/** Not sooner after the last look, whatever the certificates say. */
const AT_LEAST_MS = 60_000;

export interface Automatic {
  close(): Promise<void>;
}

export interface AutomaticOptions {
  /** Milliseconds until the first look. @default {1 to 10 minutes} */
  readonly firstMs?: number;
  /** The shortest pause between two looks, in milliseconds. @default {60_000} */
  readonly atLeastMs?: number;
}

/** How a renewal without a caller ended, for the audit log. */
export interface AutomaticOutcome {
  readonly domain: string;
  /** `OK`, or the error's code. */
  readonly code: string;
  readonly message?: string;
}

/** @param audit keeps what was done */
export function startRenewals(
  issuer: Issuer,
  audit: (outcome: AutomaticOutcome) => Promise<void>,
  options: AutomaticOptions = {},
): Automatic {
  const { firstMs = FIRST_MS + Math.random() * FIRST_SPREAD_MS, atLeastMs = AT_LEAST_MS } = options;
  const ending = new AbortController();
  const { signal } = ending;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let looking: Promise<void> = Promise.resolve();

  /** Answers when something is to be done next, by the clock. */
  async function look(): Promise<number> {
    const entries = await issuer.inventory.all({ askHaproxy: false, signal });
    const managed = entries.filter(isManaged);
    const due = await issuer.due(managed, signal);
    const later: number[] = [];
    for (const { name: domain, record } of managed) {
      signal.throwIfAborted();
      const again = Date.parse(record?.nextTry ?? "1970-01-01");
      const at = Math.max(
        due.get(domain)?.at.getTime() ?? 0,
        isAhead(again, Date.now()) ? again : 0,
      );
      if (at > Date.now()) {
        later.push(at);
        continue;
      }
      // The earliest that a failed one is tried again.
      if (!await renew(domain)) later.push(Date.now() + HOUR_MS);
    }
    return Math.min(...later);
  }

  /** False where it has to be tried again. */
  async function renew(domain: string): Promise<boolean> {
    try {
      const request = { tool: "automatic renewal", domain, force: false, automatic: true };
      const { renewed, reason } = await issuer.renew(request, { signal, progress() {} });
      if (!renewed) return true;
      log.info(`The certificate of ${domain} was renewed: ${reason}.`);
      await audit({ domain, code: "OK" });
      return true;
    } catch (cause) {
      if (signal.aborted) throw cause;
      const { code, message, hint = "", details } = AgentError.from(cause);
      // Another agent is at it.
      if (isHeld(details)) {
        log.info(`${domain} is left for later: ${message}`);
      } else {
        log.error(`The certificate of ${domain} could not be renewed: ${message} ${hint}`.trim());
        await audit({ domain, code, message });
      }
      return false;
    }
  }

  async function round(): Promise<void> {
    let next = Date.now() + HOUR_MS;
    try {
      next = await look();
    } catch (cause) {
      if (!signal.aborted) {
        log.error(`Certificates could not be looked at: ${AgentError.from(cause).message}`);
      }
    }
    if (signal.aborted) return;
    const day = DAY_MS * (0.9 + Math.random() * 0.2);
    wait(Math.min(day, Math.max(atLeastMs, next - Date.now())));
  }

  function wait(ms: number): void {
    timer = setTimeout(() => looking = round(), ms);
  }

  wait(firstMs);
  return {
    async close() {
      clearTimeout(timer);
      ending.abort(new AgentError("CANCELLED", "haproxy-mcp stops."));
      await looking;
    },
  };
}
