/**
 * SSE answers on Deno 2.6: it flushes the head first, and each small write after that waits 44 ms for
 * the client's delayed ACK. A body that is complete at once does not, so an answer is held back until
 * its end is known, or something must be streamed.
 */

/**
 * @param holdMs how long to wait for the end before streaming what there is
 * @param onEnd called once: the answer is complete, or its reader has gone
 */
export async function coalesce(
  response: Response,
  holdMs: number,
  onEnd: () => void,
): Promise<Response> {
  if (!response.body || !isEventStream(response)) {
    onEnd();
    return response;
  }
  const reader = response.body.getReader();
  const head: Uint8Array<ArrayBuffer>[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), holdMs));
  try {
    for (;;) {
      const next = reader.read();
      const chunk = await Promise.race([next, late]);
      if (chunk === "late") return new Response(relay(reader, head, next, onEnd), response);
      if (chunk.done) {
        onEnd();
        return new Response(await new Blob(head).text(), response);
      }
      head.push(chunk.value);
      if (carriesMethod(chunk.value)) {
        return new Response(relay(reader, head, reader.read(), onEnd), response);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The same answer; `onEnd` is called once when it is complete, or its reader has gone. */
export function watchEnd(response: Response, onEnd: () => void): Response {
  if (!response.body || !isEventStream(response)) {
    onEnd();
    return response;
  }
  const reader = response.body.getReader();
  return new Response(relay(reader, [], reader.read(), onEnd), response);
}

function relay(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  head: readonly Uint8Array<ArrayBuffer>[],
  first: Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer>>>,
  onEnd: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let next = first;
  let ended = false;
  const end = () => {
    if (!ended) onEnd();
    ended = true;
  };
  return new ReadableStream({
    start(controller) {
      for (const chunk of head) controller.enqueue(chunk);
    },
    async pull(controller) {
      const chunk = await next.catch((cause) => {
        end();
        throw cause;
      });
      if (ended) return;
      if (chunk.done) {
        end();
        return controller.close();
      }
      controller.enqueue(chunk.value);
      next = reader.read();
    },
    cancel(why) {
      end();
      return reader.cancel(why);
    },
  });
}

const isEventStream = (response: Response) =>
  response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;

/** A notification or a request to the client; the SDK writes each event in one chunk, its data on one line. */
function carriesMethod(chunk: Uint8Array): boolean {
  return [...new TextDecoder().decode(chunk).matchAll(/^data: (\{.*\})$/gm)]
    .some(([, json]) => "method" in JSON.parse(json));
}
