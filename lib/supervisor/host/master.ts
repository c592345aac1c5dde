/** Reload by HAProxy's master CLI: the one way that answers, once the new worker serves. */
import type { HostSettings } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import { pause } from "../../pause.ts";
import { askMaster, masterAddress } from "./master_cli.ts";
import { parseMessages } from "./messages.ts";
import { workersThatStay } from "./old_workers.ts";
import { type Look, problemOf, reloadError, type Way } from "./way.ts";

/** A big configuration takes its time: the answer comes when it is loaded. */
const RELOAD_MS = 60_000;
/** So long another reload, or HAProxy's start, is waited for. */
const BUSY_MS = 10_000;
/** So long a master that is about to come up, or back, is tried. */
const PATIENCE_MS = 3_000;

export function masterWay({ master, masterSocket }: HostSettings): Way {
  const address = master ?? masterSocket;

  async function problem({ signal, deadlineMs, patienceMs }: Look): Promise<string | undefined> {
    if (masterAddress({ master, masterSocket }) === undefined) {
      return `HAPROXY_MASTER is not set, and there is no ${masterSocket}`;
    }
    const options = { signal, deadlineMs, patienceMs, repeatable: true };
    try {
      const answer = await askMaster(address, "show proc", options);
      if (/^\d+ +master /m.test(answer)) return undefined;
      return `${address} answers, but is not HAProxy's master CLI`;
    } catch (cause) {
      const words = problemOf(cause, signal);
      const denied = AgentError.from(cause).cause instanceof Deno.errors.PermissionDenied;
      if (!denied || !address.startsWith("/")) return words;
      return `${words}: start HAProxy with \`-S ${address},mode,600,user,NAME\`, the user that runs the agent`;
    }
  }

  /** Not sent twice: a second reload cuts off the first one's answer, and so two callers would for ever. */
  async function order(signal: AbortSignal): Promise<string> {
    const options = { signal, deadlineMs: RELOAD_MS, patienceMs: PATIENCE_MS };
    try {
      return await askMaster(address, "reload", options);
    } catch (cause) {
      signal.throwIfAborted();
      const look = { signal, deadlineMs: PATIENCE_MS, patienceMs: PATIENCE_MS };
      const gone = await problem(look);
      if (gone === undefined) {
        throw new AgentError("RELOAD_FAILED", "HAProxy's master did not answer to the reload.", {
          hint: "It still runs; another reload may have come between. Try again.",
          cause,
        });
      }
      throw new AgentError("RELOAD_FAILED", `HAProxy's master ended on the reload: ${gone}.`, {
        hint:
          "Start HAProxy. Some broken configurations end the master itself: haproxy_check_config finds those. " +
          "So may a master CLI on a port with HAProxy 3.0: haproxy-mcp doctor finds that.",
        cause,
      });
    }
  }

  return {
    way: "master",
    problem,
    async reload(signal) {
      let answer: string;
      for (const busyUntil = performance.now() + BUSY_MS;; await pause(100, signal)) {
        answer = await order(signal);
        // Nothing has happened then.
        const busy = /^Another reload is still in progress/m.test(answer);
        if (!busy || performance.now() >= busyUntil) break;
      }
      if (/^Success=1$/m.test(answer)) {
        const { warnings } = parseMessages(answer);
        // The reload is done, whatever comes of this question.
        const lingering = await workersThatStay(address, signal).catch(() => []);
        return { way: "master", confirmed: true, warnings, lingering };
      }
      throw reloadError(
        answer,
        /cannot bind/i.test(answer)
          ? "The old worker serves on, but may have refused connections for the 2 s in which HAProxy tried. " +
            "Free that address, or take the bind out."
          : "The old worker serves on. HAProxy's log says more.",
      );
    },
  };
}
