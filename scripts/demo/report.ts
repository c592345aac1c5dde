/** What the walk prints: steps with their time and a tick or a cross, and under each what it showed. */

/** Columns. */
const WIDTH = 100;
const INDENT = " ".repeat(11);

const SGR = { bold: 1, dim: 2, red: 31, green: 32 } as const;
export type Style = keyof typeof SGR;
export type Paint = (style: Style, text: string) => string;

export function painter(colour: boolean): Paint {
  return (style, text) => colour ? `\x1b[${SGR[style]}m${text}\x1b[0m` : text;
}

/** Breaks at blanks; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines[lines.length - 1];
    if (last !== "" && last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}

/** `backend-1 ×3` for a row of one answer, `backend-1, backend-2` for different ones. */
export function row(answers: readonly string[]): string {
  const [first] = answers;
  if (answers.length > 1 && answers.every((answer) => answer === first)) {
    return `${first} ×${answers.length}`;
  }
  return answers.join(", ");
}

/** `domain=shop.example slot=2`. */
export function argumentsText(args: object): string {
  return Object.entries(args).map(([name, value]) => `${name}=${value}`).join(" ");
}

export interface Report {
  /** Steps and lines that were not as they should be. */
  readonly wrong: number;
  readonly steps: number;
  /** A step that is done. `ms`: how long it took, where that says something. */
  step(right: boolean, title: string, details: string, ms?: number): void;
  /** Under a step: what somebody said. */
  say(text: string): void;
  /** Under a step: a command to type, and its answer. */
  command(command: string, answer: string, expected?: string): void;
  /** Under a step: what is not as it should be. */
  mismatch(text: string): void;
  /** A line as it is. */
  line(text?: string): void;
}

export function openReport(write: (text: string) => void, paint: Paint): Report {
  let steps = 0;
  let wrong = 0;
  const line = (text = "") => write(`${text}\n`);
  const room = WIDTH - INDENT.length;
  function mismatch(text: string): void {
    wrong++;
    for (const part of wrap(text, room - 2)) line(`${INDENT}${paint("red", `✗ ${part}`)}`);
  }
  return {
    get steps() {
      return steps;
    },
    get wrong() {
      return wrong;
    },
    step(right, title, details, ms) {
      steps++;
      if (!right) wrong++;
      const mark = right ? paint("green", "✓") : paint("red", "✗");
      const time = ms === undefined ? "" : `${Math.round(ms)} ms`;
      const [first, ...rest] = wrap(`${title} ${details}`.trim(), room);
      line(`${mark} ${paint("dim", time.padStart(7))}  ${bold(paint, title, first)}`);
      for (const part of rest) line(`${INDENT}${part}`);
    },
    say(text) {
      for (const part of text.split("\n").flatMap((each) => wrap(each, room))) {
        line(`${INDENT}${paint("dim", part)}`);
      }
    },
    command(command, answer, expected) {
      const fits = command.length + answer.length + 5 <= room;
      line(`${INDENT}$ ${command}${fits ? ` → ${answer}` : `\n${INDENT}→ ${answer}`}`);
      if (expected !== undefined) mismatch(`expected ${expected}`);
    },
    mismatch,
    line,
  };
}

function bold(paint: Paint, title: string, text: string): string {
  return text.startsWith(title) ? paint("bold", title) + text.slice(title.length) : text;
}
