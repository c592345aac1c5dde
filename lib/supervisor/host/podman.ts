/** HAProxy's container, by podman: its state, a check in it, a signal to it. */
import { AgentError } from "../../errors.ts";
import { type Container, noContainer, readInspect } from "./container.ts";
import { lastWords } from "./messages.ts";
import { type Ended, run } from "./program.ts";
import { problemOf, type Way } from "./way.ts";

const KILL_MS = 30_000;
/** podman exec's own exit codes; HAProxy's are 0 to 2, or of a signal. */
const PODMAN_FAILED = [125, 126, 127];

export interface PodmanOptions {
  /** Absolute; undefined: this machine has none. */
  readonly program?: string;
  /** The container. */
  readonly name: string;
  /** Where rootless podman keeps its containers: HOME and XDG_RUNTIME_DIR. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** For a look at the container. */
  readonly lookMs: number;
}

/** Podman for the length of one call. */
export interface Podman {
  /** Looked at once a call. Throws the signal's reason alone. */
  container(): Promise<Container>;
  /** Runs a command in the container. Throws UNSUPPORTED where podman can't, TIMEOUT. */
  exec(command: readonly string[], deadlineMs: number): Promise<Ended>;
  readonly way: Way;
}

export function openPodman({ program, name, env, signal, lookMs }: PodmanOptions): Podman {
  let looked: Promise<Container> | undefined;

  async function look(): Promise<Container> {
    if (program === undefined) return noContainer("no podman", "there is no podman in PATH");
    const inspect = ["container", "inspect", name];
    try {
      const { code, stdout, stderr } = await run(program, inspect, {
        signal,
        deadlineMs: lookMs,
        env,
      });
      if (code === 0) return readInspect(stdout, name);
      if (/no such (?:container|object)/i.test(stderr)) {
        return noContainer("none", `podman knows no container ${name}`);
      }
      return noContainer(
        "unknown",
        `podman does not know how container ${name} is: ${
          lastWords(stderr) || `exit code ${code}`
        }`,
      );
    } catch (cause) {
      return noContainer("unknown", problemOf(cause, signal));
    }
  }
  const container = () => looked ??= look();

  return {
    container,

    async exec(command, deadlineMs) {
      const ended = await run(program!, ["exec", name, ...command], { signal, deadlineMs, env });
      if (!PODMAN_FAILED.includes(ended.code)) return ended;
      throw new AgentError(
        "UNSUPPORTED",
        `podman can't run ${command[0]} in container ${name}: ${
          lastWords(ended.stderr) || `exit code ${ended.code}`
        }`,
      );
    },

    way: {
      way: "podman",
      problem: async () => (await container()).problem,

      async reload(signal) {
        const kill = ["kill", "--signal", "USR2", name];
        const { code, stderr } = await run(program!, kill, { signal, deadlineMs: KILL_MS, env })
          .catch((cause) => {
            signal.throwIfAborted();
            throw new AgentError("RELOAD_FAILED", `HAProxy was not reloaded: ${cause.message}`, {
              hint: `Look at \`podman ps\` and \`podman logs ${name}\`.`,
              cause,
            });
          });
        if (code === 0) return { way: "podman", confirmed: false, warnings: [] };
        throw new AgentError(
          "RELOAD_FAILED",
          `podman did not signal container ${name}: ${lastWords(stderr) || `exit code ${code}`}`,
          { hint: `Look at \`podman ps\` and \`podman logs ${name}\`.` },
        );
      },
    },
  };
}
