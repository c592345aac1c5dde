/** The log: stderr only, as stdout belongs to the protocol in `stdio`; one record a line, in every room. Never a secret. */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  configureSync,
  getLogger,
  getTextFormatter,
  type LogRecord,
  withContext,
} from "@logtape/logtape";
import type { Logging, LogLevel } from "./config.ts";

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

/** What is logged while `act` runs carries the request's id: in the text at the end, in JSON as `request`. */
export const logWithin = <T>(request: string | undefined, act: () => T): T =>
  request === undefined ? act() : withContext({ request }, act);

/** Short, and unlike any other of the last months. */
export const newRequestId = (): string => crypto.randomUUID().replaceAll("-", "").slice(0, 12);

const contextLocalStorage = new AsyncLocalStorage<Record<string, unknown>>();

/**
 * Opens the log of this room.
 *
 * @param room who speaks: main, front, tools or acme
 */
export function openLog(room: string, { level, format }: Logging): void {
  const line = format === "json" ? jsonLine(room) : textLine(room);
  configureSync({
    reset: true,
    contextLocalStorage,
    sinks: { stderr: (record) => console.error(line(record)) },
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

function textLine(room: string): (record: LogRecord) => string {
  const format = getTextFormatter({
    timestamp: "rfc3339",
    level: "FULL",
    value: "bare",
    format: ({ timestamp, level, message, record: { properties: { request } } }) =>
      `${timestamp} ${level} ${room}: ${message}${request === undefined ? "" : ` [${request}]`}`,
    // A stranger's bytes may be in a message: they start no line of their own.
    sanitize: { newlines: "escape", sgr: "escape" },
  });
  return (record) => format(record).trimEnd();
}

/** `{"time": …, "level": "INFO", "room": "front", "message": …, "request": …}`. */
const jsonLine = (room: string) => (record: LogRecord) =>
  JSON.stringify({
    time: new Date(record.timestamp).toISOString(),
    level: record.level.toUpperCase(),
    room,
    message: record.message.map(String).join(""),
    request: record.properties.request,
  });
