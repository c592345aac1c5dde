/** The HAProxy program of this machine: its version and what it was built with. */
import { AgentError } from "../../errors.ts";
import { run } from "./program.ts";

const LOOK_MS = 5_000;

export interface Installed {
  readonly program: string;
  /** `3.2.26-1`. */
  readonly version: string;
  /** Its names in `haproxy -vv`, such as OPENSSL and QUIC. */
  readonly features: readonly string[];
}

/** Throws UNSUPPORTED where the program is no HAProxy, TIMEOUT. */
export async function installedHaproxy(program: string, signal: AbortSignal): Promise<Installed> {
  const { stdout } = await run(program, ["-vv"], { signal, deadlineMs: LOOK_MS });
  const read = readVersion(stdout);
  if (read !== undefined) return { program, ...read };
  throw new AgentError("UNSUPPORTED", `${program} does not answer as HAProxy does.`);
}

/** `haproxy -vv`: `HAProxy version 3.2.26-1 2026/10/14 - …`, and a line `Feature list : -51DEGREES +ACME …`. */
export function readVersion(text: string): Omit<Installed, "program"> | undefined {
  const version = /^HAProxy version (\S+)/m.exec(text)?.[1];
  const list = /^Feature list : (.*)$/m.exec(text)?.[1] ?? "";
  const features = list.split(" ").filter((word) => word.startsWith("+"))
    .map((word) => word.slice(1));
  return version === undefined ? undefined : { version, features };
}
