/** Colours, where a person reads: on a terminal, unless NO_COLOR is set. */

const CODES = { green: 32, yellow: 33, red: 31, grey: 90, bold: 1 } as const;
export type Colour = keyof typeof CODES;

/** The text in a colour where stdout is a terminal, else as it is. */
export function coloured(
  text: string,
  colour: Colour,
  isOn = Deno.stdout.isTerminal() && !Deno.noColor,
): string {
  return isOn ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
}
