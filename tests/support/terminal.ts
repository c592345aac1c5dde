/**
 * The compiled executable at a terminal of its own, as a person has it.
 *
 *     const { code, text } = await atTerminal(haproxy, ["call", "haproxy_health"], { columns: 60 });
 */
import { agentEnv, executable, type Neighbour, type Run } from "./agent.ts";

export interface TerminalOptions {
  /** @default {80} */
  readonly columns?: number;
  /** Typed where it asks, and a return behind it. */
  readonly answer?: string;
  /** Laid over the settings that fit the HAProxy. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default {executable()} */
  readonly program?: string;
}

const PATIENCE = 30_000;
const QUESTION = "[y/N] ";

/** What the terminal is sent: stdout and stderr, LF at the ends of lines, `␛` for what begins a colour. */
export async function atTerminal(
  haproxy: Neighbour,
  args: readonly string[],
  { columns = 80, answer, env, program = executable() }: TerminalOptions = {},
): Promise<Pick<Run, "code"> & { readonly text: string }> {
  const quoted = [program, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
  const child = new Deno.Command("script", {
    args: ["-qefc", `stty cols ${columns} rows 24 && exec ${quoted}`, "/dev/null"],
    clearEnv: true,
    env: { ...agentEnv(haproxy), TERM: "xterm", SHELL: "/bin/sh", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(PATIENCE),
  }).spawn();
  const keyboard = child.stdin.getWriter();
  let text = "";
  let typed = false;
  const reading = (async () => {
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (typed || answer === undefined || !text.includes(QUESTION)) continue;
      typed = true;
      await keyboard.write(new TextEncoder().encode(`${answer}\n`));
    }
  })();
  const { code } = await child.status;
  await reading;
  await keyboard.close().catch(() => {});
  await child.stderr.cancel();
  return { code, text: text.replaceAll("\r\n", "\n").replaceAll("\x1b", "␛") };
}
