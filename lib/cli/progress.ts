/** What a long call says of its progress: one line of the terminal, which is written anew. */
import type { Progress } from "../rpc/mod.ts";
import { displayWidth } from "./table.ts";
import { harmless, type Terminal } from "./terminal.ts";

export interface ProgressLine {
  show(progress: Progress): void;
  /** Takes it away. */
  end(): void;
}

/**
 * @param terminal that of stderr; one without a cursor to move gets a line each time
 * @param write to it
 */
export function progressLine(
  { columns, cursor }: Terminal,
  write: (text: string) => void,
): ProgressLine {
  let isShown = false;
  return {
    show(progress) {
      const text = harmless(words(progress)).replaceAll("\n", " ");
      if (!cursor) return write(`${text}\n`);
      isShown = true;
      // The cursor goes back to the line's begin: what the log may write stands there alone.
      write(`\r\x1b[K${shortened(text, columns - 1)}\r`);
    },
    end() {
      if (isShown) write("\x1b[K");
      isShown = false;
    },
  };
}

function words({ progress, total, message }: Progress): string {
  const count = total === undefined ? String(progress) : `${progress} of ${total}`;
  return message ?? count;
}

function shortened(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let short = "";
  for (const character of text) {
    if (displayWidth(short + character) > width - 1) break;
    short += character;
  }
  return `${short}…`;
}
