/** HAProxy's own parser reads haproxy.cfg: the program of this machine, or the one in the container. */
import { isAbsolute } from "node:path";
import type { HostSettings } from "../../config.ts";
import { AgentError } from "../../errors.ts";
import type { ConfigCheck } from "../../../tools/host_acts.ts";
import { checkCommand } from "./container.ts";
import { lastWords, parseMessages } from "./messages.ts";
import type { Podman } from "./podman.ts";
import { type Ended, findProgram, isProgram, run } from "./program.ts";

const CHECK_MS = 30_000;
/** Where HAProxy lies, and what the PATH of an ordinary user leaves out. */
const SBIN = "/usr/local/sbin:/usr/sbin:/sbin";
const NAME_BINARY =
  "Let HAPROXY_BINARY name a haproxy program on this machine, or HAPROXY_CONTAINER its container.";
const NAME_CONTAINER = "Let HAPROXY_CONTAINER name HAProxy's running container.";

/** Who checks, or why nobody can. */
export type Checker =
  | { readonly by: "binary"; readonly program: string }
  | { readonly by: "podman"; readonly command: readonly string[] }
  | { readonly by: null; readonly problem: string };

/**
 * The program that HAPROXY_BINARY names, else `haproxy`; undefined where it is in no folder of `path`.
 *
 * @param path as in $PATH
 */
export function findBinary({ binary }: HostSettings, path: string): string | undefined {
  if (binary !== undefined && isAbsolute(binary)) return binary;
  return findProgram(binary ?? "haproxy", `${path}:${SBIN}`);
}

export async function chooseChecker(
  host: HostSettings,
  program: string | undefined,
  podman: Podman,
): Promise<Checker> {
  if (host.reload !== "podman") {
    if (program !== undefined && isProgram(program)) return { by: "binary", program };
    if (host.binary !== undefined) {
      const why = program === undefined ? "is in no folder of PATH" : "is no executable file";
      return { by: null, problem: `HAPROXY_BINARY=${host.binary} ${why}` };
    }
  }
  const container = await podman.container();
  if (container.problem !== undefined) {
    const binary = host.reload === "podman" ? "" : "there is no haproxy in PATH, and ";
    return { by: null, problem: binary + container.problem };
  }
  const command = checkCommand(container, host.configFile);
  if (command !== undefined) return { by: "podman", command };
  return {
    by: null,
    problem: `container ${host.container}'s command names no configuration file, and none of its ` +
      `mounts holds HAPROXY_CONFIG_FILE (${host.configFile})`,
  };
}

/** Throws UNSUPPORTED, TIMEOUT, or the signal's reason. */
export async function checkConfig(
  host: HostSettings,
  checker: Checker,
  podman: Podman,
  signal: AbortSignal,
): Promise<ConfigCheck> {
  if (checker.by === null) {
    const message = `The configuration can't be checked: ${checker.problem}.`;
    const hint = host.reload === "podman" ? NAME_CONTAINER : NAME_BINARY;
    throw new AgentError("UNSUPPORTED", message, { hint });
  }
  // -V: without it, HAProxy does not say why it would not start on a file without error.
  const args = ["-c", "-V", "-f", host.configFile];
  const ended =
    await (checker.by === "binary"
      ? run(checker.program, args, { signal, deadlineMs: CHECK_MS })
      : podman.exec(checker.command, CHECK_MS)).catch((cause) => {
        throw withHint(cause);
      });
  if (!isHaproxys(ended)) {
    const what = checker.by === "binary" ? checker.program : "haproxy in the container";
    throw new AgentError("UNSUPPORTED", `${what} does not answer as HAProxy does.`, {
      hint: NAME_BINARY,
    });
  }
  return { by: checker.by, ...readCheck(ended, host.configFile) };
}

/** Another program, such as one that HAPROXY_BINARY names by mistake, also ends with 0 or with something else. */
function isHaproxys({ code, stdout, stderr }: Ended): boolean {
  return /^Configuration file is valid$/m.test(stdout) ||
    (code !== 0 &&
      /^\[(ALERT|WARNING|NOTICE)\] |^Usage : |^HAProxy version |no listener/mi.test(
        stderr + stdout,
      ));
}

/** @param configFile what was checked, for words of our own */
export function readCheck(
  { code, stdout, stderr }: Ended,
  configFile: string,
): Omit<ConfigCheck, "by"> {
  const { errors, warnings } = parseMessages(stderr);
  if (code === 0) return { valid: true, warnings, errors: [] };
  if (errors.length > 0) return { valid: false, warnings, errors };
  // For a folder without a file HAProxy explains its options.
  const message = /^Usage : /m.test(stderr)
    ? `${configFile} holds no configuration file.`
    : lastWords(stderr) || lastWords(stdout) ||
      `HAProxy ended with exit code ${code} and said nothing.`;
  return { valid: false, warnings, errors: [{ message }] };
}

function withHint(cause: unknown): unknown {
  if (!(cause instanceof AgentError)) return cause;
  const hint = {
    UNSUPPORTED: NAME_BINARY,
    TIMEOUT: "A host name that does not resolve keeps HAProxy waiting: see init-addr and libc.",
  }[cause.code as string];
  return new AgentError(cause.code, cause.message, { hint: cause.hint ?? hint, cause });
}
