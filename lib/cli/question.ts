/** A question to the person at the terminal, before something is done that wants their word. */
import { paintChange } from "./paint.ts";
import { harmless, type Terminal } from "./terminal.ts";

/** Somebody sits there: what they type is read, and what is written is seen. */
export const canAsk = (): boolean => Deno.stdin.isTerminal() && Deno.stdout.isTerminal();

/**
 * Shows what would change, and asks. Anything but yes is a no, the end of the input too. Rejects with the signal's reason.
 *
 * @param preview a dry run's text
 */
export async function isAgreed(
  { title, preview, terminal, signal }: {
    readonly title: string;
    readonly preview: string;
    readonly terminal: Terminal;
    readonly signal: AbortSignal;
  },
): Promise<boolean> {
  const lines = harmless(preview).replace(/^Dry run, nothing was changed\. /, "").split("\n");
  console.log(lines.map(terminal.colours ? paintChange : (line) => line).join("\n"));
  Deno.stdout.writeSync(new TextEncoder().encode(`${title}? [y/N] `));
  return /^y(es)?$/i.test((await readLine(signal)).trim());
}

async function readLine(signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => {
    // Behind the ^C that the terminal shows.
    console.log();
    reject(signal.reason);
  };
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([aborted, readToEnd()]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** A terminal hands over whole lines. */
async function readToEnd(): Promise<string> {
  const buffer = new Uint8Array(1024);
  const length = await Deno.stdin.read(buffer);
  if (length === null) console.log();
  return new TextDecoder().decode(buffer.subarray(0, length ?? 0));
}
