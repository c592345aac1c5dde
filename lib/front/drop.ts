/** What is refused is taken in and dropped, so that its sender lives to read the refusal. */

const MAX_DROPPED_BYTES = 16 * 1024 * 1024;
const DROP_MS = 2_000;

export async function drop(body: ReadableStream<Uint8Array> | null): Promise<void> {
  const reader = body?.getReader();
  if (!reader) return;
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), DROP_MS);
  try {
    for (let dropped = 0; dropped < MAX_DROPPED_BYTES;) {
      const { done, value } = await reader.read();
      if (done) return;
      dropped += value.byteLength;
    }
  } catch {
    // The sender has gone.
  } finally {
    clearTimeout(timer);
    reader.releaseLock();
  }
}
