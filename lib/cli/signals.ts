/** A command that ends early, and in order, when it is told to. */

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Runs `act` with a signal that aborts when the process gets SIGTERM or SIGINT. */
export async function withSignals<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const cancel = new AbortController();
  const onSignal = () => cancel.abort(new DOMException("A signal came.", "AbortError"));
  for (const signal of SIGNALS) Deno.addSignalListener(signal, onSignal);
  try {
    return await act(cancel.signal);
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, onSignal);
  }
}
