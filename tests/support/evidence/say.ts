/** Bytes to a port of this machine, and the answers that come back, as a stranger without an HTTP library sends them. */
import { setTimeout as delay } from "node:timers/promises";

export interface Said {
  /** Of each answer, in their order. */
  readonly statuses: readonly number[];
  readonly text: string;
}

/** Longer than the agent holds up a wrong token. */
const PATIENCE_MS = 6_000;

/**
 * Sends all of it and reads until the other side hangs up, has answered `answers` times, or is silent.
 *
 * @param text each character one byte
 */
export async function say(
  port: number,
  text: string,
  { answers = Infinity, silentMs = PATIENCE_MS } = {},
): Promise<Said> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
  const sending = (async () => {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  })().catch(() => {});
  const buffer = new Uint8Array(64 * 1024);
  let said = "";
  while (statusesIn(said).length < answers) {
    const over = new AbortController();
    const silence = delay(silentMs, null, { signal: over.signal }).catch(() => null);
    const length = await Promise.race([connection.read(buffer).catch(() => null), silence]);
    over.abort();
    if (length === null) break;
    said += new TextDecoder().decode(buffer.subarray(0, length));
  }
  await Promise.race([sending, delay(0)]);
  return { statuses: statusesIn(said), text: said };
}

const statusesIn = (text: string) =>
  [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status));

/** A request of these lines; with a body its length is told, unless a line tells another. */
export function request(start: string, lines: readonly string[], body = ""): string {
  const framed = lines.some((line) => /^(content-length|transfer-encoding)/i.test(line));
  const length = framed || body === "" ? [] : [`Content-Length: ${body.length}`];
  return [`${start} HTTP/1.1`, ...lines, ...length, "", body].join("\r\n");
}
