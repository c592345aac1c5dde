/** What a person's terminal can show. Pipes and files get the plain text that scripts know. */

export interface Terminal {
  /** How wide it is. */
  readonly columns: number;
  readonly colours: boolean;
  /** The cursor can be moved. */
  readonly cursor: boolean;
}

/** Undefined where the stream is no terminal. */
export function terminalOf(stream: typeof Deno.stdout | typeof Deno.stderr): Terminal | undefined {
  if (!stream.isTerminal()) return undefined;
  const cursor = Deno.env.get("TERM") !== "dumb";
  return { columns: columns(), colours: cursor && !Deno.noColor, cursor };
}

/** Where nobody can tell, as the first terminals. */
function columns(): number {
  try {
    // Of one that was just opened it may be 0.
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}

// deno-lint-ignore no-control-regex -- those are what it is about
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;

/**
 * The text as a terminal may get it: what others sent (a server's reply to a check, a name in a certificate) must not
 * move the cursor or change colours.
 */
export const harmless = (text: string): string =>
  text.replace(
    CONTROL,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
