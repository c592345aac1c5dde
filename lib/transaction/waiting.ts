/** Waiting for the lock is given up with the call; what has begun goes on. */

/** Waits in a queue until it is this one's turn, at most as long as the signal lets it. */
export function waitingWith<T>(
  signal: AbortSignal,
  queue: (act: () => Promise<T>) => Promise<T>,
  act: () => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    const stopListening = () => signal.removeEventListener("abort", onAbort);
    queue(async () => {
      stopListening();
      signal.throwIfAborted();
      return await act();
    }).finally(stopListening).then(resolve, reject);
  });
}
