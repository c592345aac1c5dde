/**
 * A signal of one's own that aborts with another, until it is released. A connection's signal lives for thousands of
 * requests: what each of them hangs on it would, too.
 */
export interface Following {
  readonly controller: AbortController;
  release(): void;
}

export function follow(signal: AbortSignal): Following {
  const controller = new AbortController();
  const onAbort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  return { controller, release: () => signal.removeEventListener("abort", onAbort) };
}
