/** A program that the demo starts: its output goes straight to a file, its environment is what it is given. */
import { setTimeout as delay } from "node:timers/promises";

export interface Program {
  readonly name: string;
  readonly pid: number;
  readonly ended: Promise<Deno.CommandStatus>;
  /** Ends it on purpose; its end is not a loss then. */
  end(signal: "SIGTERM" | "SIGKILL"): void;
  /** Calls `act` should it end by itself from now on. */
  onLost(act: (error: Error) => void): void;
  /** What it wrote since this start. */
  output(): Promise<string>;
}

export interface ProgramOptions {
  readonly name: string;
  /** Absolute path of the shell that opens the file and becomes the program. */
  readonly sh: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile: string;
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export async function startProgram(options: ProgramOptions): Promise<Program> {
  const { name, sh, command, env, logFile } = options;
  const log = () => Deno.readTextFile(logFile).catch(() => "");
  const before = (await log()).length;
  const process = new Deno.Command(sh, {
    args: ["-c", 'exec "$@" >>"$0" 2>&1', logFile, ...command],
    clearEnv: true,
    env: { PATH, ...env },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let onPurpose = false;
  let over = false;
  void process.status.then(() => over = true);
  return {
    name,
    pid: process.pid,
    ended: process.status,
    end(signal) {
      onPurpose = true;
      if (!over) process.kill(signal);
    },
    onLost(act) {
      void process.status.then(({ signal, code }) => {
        if (!onPurpose) {
          act(new Error(`${name} has ended by itself (${signal ?? `code ${code}`}).`));
        }
      });
    },
    output: async () => (await log()).slice(before),
  };
}

const PATIENCE_MS = 15_000;

/**
 * Asks every 20 ms until there is an answer.
 *
 * @returns undefined when the program ended before
 * @throws when there was none in time
 */
export async function answerOf<T>(
  program: Program,
  ask: () => Promise<T | undefined>,
): Promise<T | undefined> {
  let over = false;
  void program.ended.then(() => over = true);
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await delay(20)) {
    if (over) return undefined;
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw await failure(program, "is not ready after 15 s");
}

/** An error that ends with the last lines of what the program wrote. */
export async function failure(program: Program, what: string): Promise<Error> {
  const lines = (await program.output()).trimEnd().split("\n").slice(-15);
  return new Error(`${program.name} ${what}. It wrote:\n${lines.join("\n")}`);
}
