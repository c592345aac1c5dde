/** Success or failure: how a reply is read, given the command that it answers. */
import { AgentError } from "../errors.ts";
import type { Command, Expectation } from "./encode.ts";

export type Reply =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string };

/** Told by their text: their severity is that of information, or none. */
const ERRORS =
  /^(Unknown command|The command (line )?is too big|The payload is too big|Permission denied)/;

/** Success, from the first character on; `commit` and `add ssl crt-list` tell it at their end. */
const SUCCESS: Readonly<Record<Exclude<Expectation, "data">, RegExp>> = {
  "silence": /^$/,
  "address": /^(IP changed|port changed|nothing changed|no need to change)/,
  "new cert": /^New empty certificate store /,
  "set cert": /^Transaction (created|updated) for certificate /,
  "commit cert": /^Committing [^]*\nSuccess!\s*$/,
  "abort cert": /^Transaction aborted for certificate /,
  "del cert": /^Certificate .* deleted!\s*$/,
  "add crt-list": /^Inserting certificate [^]*\nSuccess!\s*$/,
  "del crt-list": /^Entry .* deleted in crtlist /,
};

/**
 * Reads one reply of a connection with `set severity-output number`. A prefix `[0]` to `[3]` is an error (emergency to
 * error); other errors and the successes of each kind of command are told by their text.
 */
export function readReply(command: Command, raw: string): Reply {
  const [, level, text] = /^(?:\[(\d)\]: )?([^]*)$/.exec(raw)!;
  const failed = (level !== undefined && Number(level) <= 3) || ERRORS.test(text) ||
    (command.expects !== "data" && !SUCCESS[command.expects].test(text));
  return failed ? { ok: false, message: text.trim() } : { ok: true, text };
}

/** The error for a command that HAProxy refused. */
export function rejected(command: Command, message: string): AgentError {
  const server = /^set server [^ /]+\/([^ ]+)/.exec(command.line)?.[1];
  const sentence = message.split("\n")[0].slice(0, 500).replace(/\.$/, "");
  return new AgentError("HAPROXY_REJECTED", `HAProxy refused "${command.line}": ${sentence}.`, {
    hint: /^(No such|Can't find) (backend|server)/.test(message)
      ? "Its configuration lacks this pool or slot: let haproxy.cfg and HAPROXY_POOL_COUNT, HAPROXY_MAX_SLOTS agree."
      : "Nothing was changed. Look at haproxy.cfg and at HAProxy's log.",
    details: {
      command: command.line,
      reply: message.slice(0, 2_000),
      ...(server && { server }),
    },
  });
}

/** The texts of the replies. Throws HAPROXY_REJECTED for the first failed one. */
export function texts(commands: readonly Command[], replies: readonly Reply[]): string[] {
  return replies.map((reply, i) => {
    if (!reply.ok) throw rejected(commands[i], reply.message);
    return reply.text;
  });
}
