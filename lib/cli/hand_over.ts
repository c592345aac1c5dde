/**
 * A command that root runs where the agent is a user of its own: that user does it, without root's rights. What is read and
 * carried out there (files, journals) is that user's to write, and must not act as root.
 */
import { join } from "node:path";
import type { Environment } from "../config/reader.ts";
import { readSettings, type Settings } from "../config.ts";
import { AgentError } from "../errors.ts";
import { EXIT, type ExitCode } from "../supervisor/exit_code.ts";
import { wholeEnvironment } from "./flags.ts";
import { withSignals } from "./signals.ts";

interface Agent {
  readonly uid: number;
  readonly gid: number;
}

/** Whom data/ belongs to, where we are root and that is another; undefined: whatever is done is done as who we are. */
export async function agentBeside({ files, host }: Settings): Promise<Agent | undefined> {
  // That way the agent itself is root, as Podman's containers are root's.
  if (Deno.uid() !== 0 || host.reload === "podman") return undefined;
  const info = await Deno.lstat(join(files.root, "data")).catch(() => undefined);
  if (info === undefined || !info.uid) return undefined;
  return { uid: info.uid, gid: info.gid ?? info.uid };
}

/** Runs `act` with the settings; or the same command line as the agent's user, whose exit code is answered. */
export async function asAgent(
  flags: Readonly<Record<string, unknown>>,
  act: (settings: Settings) => Promise<ExitCode>,
): Promise<ExitCode> {
  const environment = wholeEnvironment(flags);
  const settings = readSettings(environment);
  // From source there is no executable to be run again.
  const agent = Deno.build.standalone ? await agentBeside(settings) : undefined;
  return agent ? await runAs(agent, environment) : await act(settings);
}

/** Terminal, pipes and words are the same; the settings go along, as that user may not read all of their files. */
async function runAs({ uid, gid }: Agent, environment: Environment): Promise<ExitCode> {
  const program = Deno.execPath();
  const env = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => value ? [[name, value]] : []),
  );
  return await withSignals(async (signal) => {
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(program, {
        args: Deno.args,
        env,
        uid,
        gid,
        stdin: "inherit",
        stdout: "inherit",
        stderr: "inherit",
      }).spawn();
    } catch (cause) {
      throw new AgentError("UNSUPPORTED", `User ${uid}, whose data/ is, can't run ${program}.`, {
        hint: "Put the executable where every user may run it, such as /usr/local/bin.",
        cause,
      });
    }
    const end = () => {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended, by the same signal perhaps, and its word is on the way.
      }
    };
    signal.addEventListener("abort", end);
    try {
      const { code, success } = await child.status;
      return success ? EXIT.done : code as ExitCode;
    } finally {
      signal.removeEventListener("abort", end);
    }
  });
}
