/** What code of ours in this process logs. */
import { configureSync, resetSync } from "@logtape/logtape";

export interface CapturedLog extends Disposable {
  /** `warning: HAProxy's Runtime API …`, one a record. */
  readonly lines: readonly string[];
}

/** From now on to its disposal. */
export function captureLog(): CapturedLog {
  const lines: string[] = [];
  configureSync({
    reset: true,
    sinks: {
      lines: ({ level, message }) => void lines.push(`${level}: ${message.join("")}`),
    },
    loggers: [
      { category: "haproxy-mcp", sinks: ["lines"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
    ],
  });
  return { lines, [Symbol.dispose]: () => resetSync() };
}
