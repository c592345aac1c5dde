/**
 * Splits what HAProxy sends after `prompt i` into replies. 3.2 and later stay silent there, and every reply ends with an
 * empty line; 3.0 takes the same words as plain `prompt` and writes `> ` before each command, and `+ ` for each line of
 * a payload. The first bytes tell.
 */

export interface FrameReader {
  push(chunk: string): void;
  /** The next whole reply without its end, or undefined until more has come. */
  next(): string | undefined;
  /** What has come of a reply that is not whole. */
  rest(): string;
}

export function frameReader(): FrameReader {
  // `done` holds what was searched already, so that a reply of megabytes is searched once.
  let done: string[] = [];
  let text = "";
  let prompt: string | undefined;

  /** The first reply is that of `prompt i` itself: an empty one, which shows the framing. */
  function detect(): void {
    if (prompt !== undefined || text === "") return;
    if (text[0] !== "\n") throw new SyntaxError("the answer does not begin as HAProxy's does");
    if (text.length > 1) prompt = text[1] === ">" ? "> " : "";
  }

  return {
    push(chunk) {
      text += chunk;
      detect();
    },
    next() {
      if (prompt === undefined) return undefined;
      if (done.length === 0) {
        if (prompt !== "") text = text.replace(/^(?:\+ )+/, "");
        // Half of a payload line's mark.
        if (prompt !== "" && text === "+") return undefined;
        const empty = `\n${prompt}`;
        if (text.startsWith(empty)) {
          text = text.slice(empty.length);
          return "";
        }
        if (empty.startsWith(text)) return undefined;
      }
      const end = `\n\n${prompt}`;
      const at = text.indexOf(end);
      if (at < 0) {
        const keep = end.length - 1;
        if (text.length > 65_536) {
          done.push(text.slice(0, -keep));
          text = text.slice(-keep);
        }
        return undefined;
      }
      const frame = done.join("") + text.slice(0, at);
      done = [];
      text = text.slice(at + end.length);
      return frame;
    },
    rest: () => done.join("") + text,
  };
}
