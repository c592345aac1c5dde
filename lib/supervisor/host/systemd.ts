/** Reload by systemd's unit of HAProxy, whose ExecReload sends the signal. */
import { AgentError } from "../../errors.ts";
import { lastWords } from "./messages.ts";
import { run } from "./program.ts";
import { problemOf, reloadError, type Way } from "./way.ts";

const UNIT = "haproxy.service";
const RELOAD_MS = 60_000;
const HINT = `Look at \`systemctl status ${UNIT}\` and \`journalctl -u ${UNIT}\`.`;

/** @param program systemctl, absolute; undefined: this machine has none */
export function systemdWay(program: string | undefined): Way {
  return {
    way: "systemd",

    async problem({ signal, deadlineMs }) {
      if (program === undefined) return "there is no systemctl in PATH";
      const isActive = ["is-active", "--quiet", UNIT];
      try {
        const { code, stderr } = await run(program, isActive, { signal, deadlineMs });
        if (code === 0) return undefined;
        return `${UNIT} is not active${stderr.trim() && ` (${lastWords(stderr)})`}`;
      } catch (cause) {
        return problemOf(cause, signal);
      }
    },

    async reload(signal) {
      // A password prompt of polkit's would wait for nobody.
      const reload = ["--no-ask-password", "reload", UNIT];
      const { code, stdout, stderr } = await run(program!, reload, {
        signal,
        deadlineMs: RELOAD_MS,
      }).catch((cause) => {
        signal.throwIfAborted();
        const message = `HAProxy was not reloaded: ${AgentError.from(cause).message}`;
        throw new AgentError("RELOAD_FAILED", message, { hint: HINT, cause });
      });
      if (code === 0) return { way: "systemd", confirmed: false, warnings: [] };
      throw reloadError(stderr.trim() || stdout.trim() || `systemctl ended with ${code}`, HINT);
    },
  };
}
