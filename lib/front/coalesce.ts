/**
 * Event streams in as few writes as can be: an answer is held back until its end is known, or something must be streamed.
 * A lone result then goes out whole, head and body in one write.
 */

/** A stream has a comment each 15 s at least: whoever takes none of it for so long is gone, or wants our memory. */
const STALL_MS = 60_000;

type Chunk = Uint8Array<ArrayBuffer>;

/**
 * @param holdMs how long to wait for the end before streaming what there is
 * @param gone the reader has left: the answer's maker is told
 * @param onEnd called once: the answer is complete, or its reader has left
 */
export async function coalesce(
  response: Response,
  holdMs: number,
  gone: AbortSignal,
  onEnd: () => void,
): Promise<Response> {
  const source = watch(response, gone, onEnd);
  if (!source) return response;
  const head: Chunk[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), holdMs));
  try {
    for (;;) {
      const next = source.read();
      const chunk = await Promise.race([next, late]);
      if (chunk === "late") return new Response(relay(source, head, next), response);
      if (chunk.done) return new Response(await new Blob(head).text(), response);
      head.push(chunk.value);
      if (carriesMethod(chunk.value)) return new Response(relay(source, head), response);
    }
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The same answer; `onEnd` is called once when it is complete, or its reader has left.
 *
 * @param stallMs a reader that takes nothing for so long has left
 */
export function watchEnd(
  response: Response,
  gone: AbortSignal,
  onEnd: () => void,
  stallMs?: number,
): Response {
  const source = watch(response, gone, onEnd);
  return source ? new Response(relay(source, [], undefined, stallMs), response) : response;
}

interface Source {
  read(): Promise<ReadableStreamReadResult<Chunk>>;
  cancel(why: unknown): void;
}

/** Undefined for an answer that is no event stream: it has ended already. */
function watch(response: Response, gone: AbortSignal, onEnd: () => void): Source | undefined {
  // In this order: to look at a body makes a stream of it, and its one write becomes several.
  if (!isStream(response) || !response.body) {
    onEnd();
    return undefined;
  }
  const reader = response.body.getReader();
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    gone.removeEventListener("abort", onGone);
    onEnd();
  };
  const cancel = (why: unknown) => {
    end();
    void reader.cancel(why).catch(() => {});
  };
  const onGone = () => cancel(gone.reason);
  gone.addEventListener("abort", onGone);
  if (gone.aborted) onGone();
  return {
    cancel,
    async read() {
      try {
        const chunk = await reader.read();
        if (chunk.done) end();
        return chunk;
      } catch (cause) {
        end();
        throw cause;
      }
    },
  };
}

function relay(
  source: Source,
  head: readonly Chunk[],
  first?: Promise<ReadableStreamReadResult<Chunk>>,
  stallMs = STALL_MS,
): ReadableStream<Chunk> {
  let next = first;
  let timer: ReturnType<typeof setTimeout> | undefined;
  return new ReadableStream({
    start(controller) {
      for (const chunk of head) controller.enqueue(chunk);
    },
    async pull(controller) {
      clearTimeout(timer);
      const chunk = await (next ?? source.read());
      next = undefined;
      if (chunk.done) return controller.close();
      controller.enqueue(chunk.value);
      // Called again as soon as that has been taken: what comes later would pile up before a reader that has stopped.
      timer = setTimeout(() => {
        const stalled = new DOMException("Nobody reads this stream.", "TimeoutError");
        source.cancel(stalled);
        controller.error(stalled);
      }, stallMs);
    },
    cancel(why) {
      clearTimeout(timer);
      source.cancel(why);
    },
  });
}

export const isStream = ({ headers }: Response): boolean =>
  headers.get("content-type")?.startsWith("text/event-stream") ?? false;

/** A notification or a request to the client; the SDK writes each event in one chunk, its data on one line. */
function carriesMethod(chunk: Uint8Array): boolean {
  return [...new TextDecoder().decode(chunk).matchAll(/^data: (\{.*\})$/gm)]
    .some(([, json]) => "method" in JSON.parse(json));
}
