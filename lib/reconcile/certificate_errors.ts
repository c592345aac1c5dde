/** What HAProxy's refusals of commands on certificates mean to a person. */
import { AgentError } from "../errors.ts";
import type { Command } from "../runtime/encode.ts";
import { rejected, type Reply } from "../runtime/replies.ts";

/** A command and what HAProxy says instead of doing it. */
export interface Failure {
  readonly command: Command;
  readonly message: string;
}

/** An abort fails where nothing is open, which is as it should be. */
export function firstFailure(
  commands: readonly Command[],
  replies: readonly Reply[],
): Failure | undefined {
  for (const [i, command] of commands.entries()) {
    const reply = replies[i];
    if (!reply.ok && command.expects !== "abort cert") return { command, message: reply.message };
  }
}

/** HAProxy refuses everybody while one connection is at its certificates. */
export const isLocked = (message: string): boolean =>
  /Operations on certificates are currently locked/.test(message);

export function lockedError(): AgentError {
  return new AgentError(
    "CONFLICT",
    "HAProxy's certificates are locked: somebody else is at them by its Runtime API.",
    {
      hint:
        "Try again. Where it stays so (HAProxy 3.4 has such a fault), haproxy_reload frees them.",
    },
  );
}

/** What HAProxy says of a key or a certificate is about the file; that it needs its default certificate is a guard. */
export function refused(file: string, { command, message }: Failure): AgentError {
  const sentence = message.split("\n")[0].slice(0, 500).replace(/[.!]$/, "");
  const details = { file, command: command.line, reply: message.slice(0, 2_000) };
  if (isLocked(message)) return lockedError();
  if (/used as default certificate/.test(message)) {
    return new AgentError("REFUSED", `HAProxy needs ${file}: ${sentence}.`, {
      hint:
        "It answers for names that have no certificate of their own. Let another be the crt-list's first line, and reload.",
      details,
    });
  }
  if (command.expects !== "set cert" && command.expects !== "commit cert") {
    return rejected(command, message);
  }
  return new AgentError("CERTIFICATE", `HAProxy does not take ${file}: ${sentence}.`, {
    hint: "Put a certificate, its own key and its chain into it. What HAProxy served before stays.",
    details,
  });
}

export function notServed(name: string): AgentError {
  return new AgentError(
    "HAPROXY_REJECTED",
    `HAProxy takes the commands about ${name}, but reading back shows another certificate.`,
    { hint: "Does something else write to its Runtime API?", details: { certificate: name } },
  );
}
