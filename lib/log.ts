/** The log: stderr only, as stdout belongs to the protocol in `stdio`; one record a line, in every room. Never a secret. */
import { configureSync, getLogger, getTextFormatter } from "@logtape/logtape";
import type { LogLevel } from "./config.ts";

const logger = getLogger("haproxy-mcp");

/** A message is text as it stands: braces of somebody's JSON in it are no placeholders. */
const write = (level: Lowercase<LogLevel>) => (message: string) =>
  logger[level]("{message}", { message });

/** Records made before `openLog` are dropped. */
export const log = {
  debug: write("debug"),
  info: write("info"),
  warning: write("warning"),
  error: write("error"),
} as const;

/**
 * Opens the log of this room.
 *
 * @param room who speaks: main, front or tools
 * @param level the least that is written
 */
export function openLog(room: string, level: LogLevel): void {
  const format = getTextFormatter({
    timestamp: "rfc3339",
    level: "FULL",
    value: "bare",
    format: ({ timestamp, level, message }) => `${timestamp} ${level} ${room}: ${message}`,
    // A stranger's bytes may be in a message: they start no line of their own.
    sanitize: { newlines: "escape", sgr: "escape" },
  });
  configureSync({
    reset: true,
    sinks: { stderr: (record) => console.error(format(record).trimEnd()) },
    loggers: [
      {
        category: "haproxy-mcp",
        sinks: ["stderr"],
        lowestLevel: level.toLowerCase() as Lowercase<LogLevel>,
      },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "error" },
    ],
  });
}
