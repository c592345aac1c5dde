/** What HAProxy says about its configuration: on stderr of `haproxy -c`, and in the master CLI's answer to `reload`. */
import type { ConfigMessage } from "../../../tools/host_acts.ts";

export interface Messages {
  /** The [ALERT] lines that HAProxy does not get over. */
  readonly errors: readonly ConfigMessage[];
  /** The [WARNING] lines, and the alerts after which HAProxy goes on. */
  readonly warnings: readonly ConfigMessage[];
  /** An error is about the configuration, and not about what HAProxy met when it started on it: a taken port, rights. */
  readonly aboutConfig: boolean;
}

/** `[ALERT]    (13244) : config : parsing [haproxy.cfg:10] : …`; from 3.1 on, `config : ` is often missing. */
const HEAD = /^\[([A-Z]+)\] +\(\d+\) : (?:config : )?/;
/** Sums up, or tells of processes coming and going. */
const SUMMARIES = [
  "Error(s) found in configuration file",
  "Fatal errors found in configuration",
  "Failed to load worker (",
  "Former worker (",
  "Loading failure!",
  "Master failed to parse new configuration",
  "Some protocols failed to start their listeners",
];
/** Tells of servers' states, as the state file has them: each one that is ready gets a warning. */
const STATES = /^(?:Server \S+\/\S+ |(?:backend|proxy) '?\S+'? has no server available)/i;
/** What starts like this is said once the configuration has been read; `[haproxy.main()] ` is a place in HAProxy's code. */
const AT_START = /^(?:Binding \[|Starting \[|Failed to get the sockets|\[\S*\(\)\] )/;

/** Ends an alert that refuses nothing: `'maxconn' already specified. Continuing.`; the first value holds then. */
const GOES_ON = /\bContinuing\.$/;

/** Reads every [ALERT] and [WARNING] of `text`; what HAProxy says otherwise is left out. */
export function parseMessages(text: string): Messages {
  const entries = readEntries(text);
  const isAlert = ({ level, text }: Entry) => level === "ALERT" && !GOES_ON.test(text);
  const alerts = entries.filter(isAlert);
  const real = alerts.filter(({ text }) => !isSummary(text));
  const warnings = entries.filter((entry) =>
    /^(?:ALERT|WARNING)$/.test(entry.level) && !isAlert(entry) && !isSummary(entry.text) &&
    !STATES.test(entry.text)
  );
  return {
    errors: (real.length > 0 ? real : alerts).map(toMessage),
    warnings: warnings.map(toMessage),
    aboutConfig: real.some(({ text }) => !AT_START.test(text)),
  };
}

/** The last line that says something, without HAProxy's prefixes; "" where nothing does. */
export function lastWords(text: string): string {
  const line = text.split("\n").findLast((line) => printable(line).trim() !== "") ?? "";
  return printable(line).trim().replace(HEAD, "");
}

interface Entry {
  readonly level: string;
  /** Behind the prefixes; continuation lines joined to it by blanks. */
  text: string;
}

function readEntries(text: string): Entry[] {
  const entries: Entry[] = [];
  let current: Entry | undefined;
  for (const raw of text.split("\n")) {
    const line = printable(raw).trimEnd();
    const head = HEAD.exec(line);
    if (head) {
      current = { level: head[1], text: line.slice(head[0].length) };
      entries.push(current);
    } else if (/^\s/.test(line)) {
      // `   | more words`, or the line at fault and under it a caret, which points at nothing once joined.
      const more = line.replace(/^\s+(?:\| )?/, "");
      if (current && more !== "^") current.text += ` ${more}`;
    } else {
      current = undefined;
    }
  }
  return entries;
}

const isSummary = (text: string) =>
  SUMMARIES.some((start) => text.replace(/^\[\S*\(\)\] /, "").startsWith(start));

function toMessage({ text }: Entry): ConfigMessage {
  const leading = /^(?:parsing )?\[(.+?):(\d+)\] ?: */i.exec(text);
  if (leading) return located(leading, text.slice(leading[0].length));
  // `… for bind '127.0.0.1:443' at [haproxy.cfg:13] …`; `[::1:443]` is an address.
  const inside = text.matchAll(/\[([^\[\]]+):(\d+)\]/g).find(([, path]) =>
    !/^[0-9a-f:.]+$/i.test(path)
  );
  const message = text.replace(/^\[\S*\(\)\] /, "");
  return inside ? located(inside, message) : { message };
}

const located = ([, file, line]: RegExpExecArray, message: string): ConfigMessage => ({
  file,
  line: Number(line),
  message,
});

/** HAProxy repeats bytes of its files as they are: none may steer a terminal. */
// deno-lint-ignore no-control-regex -- those are what it is about
const printable = (line: string) => line.replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, "\ufffd");
