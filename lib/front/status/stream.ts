/**
 * One viewer's event stream. It is written when its reader takes it, with what is then due: a reader that is slow gets
 * fewer and newer events, and keeps no memory but the names of the parts.
 */
import { SECTIONS } from "./page.ts";
import type { Feed } from "./feeds.ts";

/** A comment that shows whether somebody still reads. */
const SIGN_MS = 15_000;
/** When a browser that lost its stream comes back, in milliseconds. */
const RETRY_MS = 2_000;

/** @param since the revision that the viewer has: with another one it is sent everything */
export function streamOf(feed: Feed, since: string): ReadableStream<Uint8Array<ArrayBuffer>> {
  const due = new Set<string>();
  const encoder = new TextEncoder();
  let begun = false;
  let left = false;
  let wake = () => {};
  const stop = feed.watch((ids) => {
    for (const id of ids) due.add(id);
    wake();
  });
  if (feed.last?.revision !== since) { for (const name of SECTIONS) due.add(name); }

  /** Resolves when something is due, the time for a sign has come, or the viewer has left. */
  function wait(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, SIGN_MS);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  function next(): string {
    if (!begun) {
      begun = true;
      return `retry: ${RETRY_MS}\n\n`;
    }
    const parts = [...due].flatMap((id) => feed.part(id) ?? []);
    due.clear();
    if (parts.length === 0) return ": still here\n\n";
    const data = JSON.stringify(parts.map(({ id, html }) => [id, html]));
    return `id: ${feed.last!.revision}\ndata: ${data}\n\n`;
  }

  return new ReadableStream({
    async pull(controller) {
      if (begun && due.size === 0) await wait();
      if (!left) controller.enqueue(encoder.encode(next()));
    },
    cancel() {
      left = true;
      stop();
      wake();
    },
  }, { highWaterMark: 0 });
}
