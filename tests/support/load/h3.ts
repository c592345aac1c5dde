/**
 * HTTP/3 under load, by the curl binary (`setup.sh --tests` brings one that can): each process asks for a
 * bounded number of URLs, one after the other, on one connection or on as many.
 * Needs --allow-env=CURL_HTTP3, --allow-run of it, and --allow-read/--allow-write of the temporary folder.
 */
import { join } from "node:path";
import {
  type Asked,
  type Load,
  type LoadOptions,
  PATIENCE,
  startClients,
  type Tally,
} from "./tally.ts";

export interface H3LoadOptions extends LoadOptions {
  /** PEM of whom to trust. @default {everybody} */
  readonly trusted?: string;
  /** URLs for one curl. @default {1000} or, with fresh connections, 40 */
  readonly batch?: number;
}

interface Outcome {
  readonly asked: Asked;
  readonly status: number;
  readonly body: string;
  /** Bytes of the request that went out. */
  readonly sent: number;
  /** Connections opened for it. */
  readonly connects: number;
  /** curl's exit code for it: 0 is a complete answer. */
  readonly exit: number;
  readonly message: string;
}

/** No body of ../backend.ts holds this. */
const END = "\x1e";
/** CURLE_SEND_ERROR, CURLE_RECV_ERROR: what curl says of a connection that HAProxy has closed. */
const CLOSED: readonly number[] = [55, 56];

/** curl's -w: its clock is read when an answer is complete, since ours reads its output later. */
const FIELDS = [
  "%{http_code}",
  "%{size_request}",
  "%{num_connects}",
  "%time{%s.%f}",
  "%{time_total}",
  "%{exitcode}",
  "%{errormsg}",
];

/** curl's own words about a request come with the next one's body: after the stop it is the second that was on its way. */
const LATE_OUTCOMES = 2;

export function startH3Load(options: H3LoadOptions): Load {
  const curl = curlBinary();
  const { address = "127.0.0.1", port, host, trusted, fresh = false } = options;
  const batch = options.batch ?? (fresh ? 40 : 1000);

  /** Ends early, without an outcome for the rest, when the signal is given and what is on its way has its own. */
  async function* ask(paths: readonly string[], logs: string, stop?: AbortSignal) {
    const trust = join(logs, "trusted.pem");
    if (trusted !== undefined) await Deno.writeTextFile(trust, trusted);
    // curl keeps a connection for each port that a URL names; HAProxy routes by the name alone.
    const url = (path: string, index: number) =>
      `https://${host}:${fresh ? 20_000 + index : port}${path}`;
    const process = new Deno.Command(curl, {
      args: ["-q", "-sS", "-N", "--http3-only", "--max-time", String(PATIENCE / 1000)]
        .concat(trusted === undefined ? ["-k"] : ["--cacert", trust])
        .concat("--connect-to", `::${address}:${port}`)
        .concat("-w", `\t${FIELDS.join(" ")}${END}`)
        .concat(paths.map(url)),
      clearEnv: true,
      env: { QLOGDIR: logs },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let text = "";
    let index = 0;
    let sinceStop = 0;
    for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let at = text.indexOf(END); at >= 0; at = text.indexOf(END)) {
        yield parseOutcome(paths[index++], text.slice(0, at));
        text = text.slice(at + END.length);
        if (stop?.aborted && ++sinceStop === LATE_OUTCOMES) end(process);
      }
    }
    await process.status;
    if (index < paths.length && !stop?.aborted) throw new Error(`curl ended early: ${text}`);
  }

  async function client(tally: Tally): Promise<void> {
    while (!tally.stopped.aborted) {
      const logs = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-qlog-" });
      try {
        const closed: Outcome[] = [];
        const paths = Array.from({ length: batch }, () => tally.next().path);
        for await (const outcome of ask(paths, logs, tally.stopped)) {
          if (CLOSED.includes(outcome.exit)) closed.push(outcome);
          else count(tally, outcome);
        }
        // As many as there are connections that ended so may be sent again, and once only.
        const free = closed.length === 0 ? 0 : await orderlyEnds(logs);
        const again = closed.slice(0, free).map(({ asked }) => asked.path);
        closed.slice(free).forEach((outcome) => count(tally, outcome));
        again.forEach(() => tally.retried());
        for await (const outcome of ask(again, logs)) count(tally, outcome);
      } finally {
        await Deno.remove(logs, { recursive: true });
      }
    }
  }

  return startClients({ connections: 2, ...options }, client);
}

function end(process: Deno.ChildProcess): void {
  try {
    process.kill();
  } catch {
    // It has ended by itself.
  }
}

function parseOutcome(path: string, text: string): Outcome {
  const tab = text.lastIndexOf("\t");
  const [status, sent, connects, now, seconds, exit, ...message] = text.slice(tab + 1).split(" ");
  const ended = Number(now) * 1000;
  return {
    asked: { path, began: Math.floor(ended - Number(seconds) * 1000), ended: Math.ceil(ended) },
    status: Number(status),
    body: text.slice(0, tab),
    sent: Number(sent),
    connects: Number(connects),
    exit: Number(exit),
    message: message.join(" ").trim(),
  };
}

function count(tally: Tally, { asked, status, body, sent, connects, ...end }: Outcome): void {
  for (let opened = 0; opened < connects; opened++) tally.connected();
  if (end.exit === 0) return tally.answered(asked, status, body);
  const unsent = sent === 0 && !CLOSED.includes(end.exit);
  tally.failed(asked, `curl exit ${end.exit}: ${end.message}`, unsent);
}

/** A frame in a line of a qlog file; the numbers are missing from other kinds of frame. */
interface Frame {
  readonly frame_type: string;
  readonly stream_id: number;
  readonly offset: number;
  readonly fin?: boolean;
  readonly error_space?: string;
  readonly error_code?: number;
}

/** RFC 9114, sections 8.1 and 6.2.1: the server's control stream is the first of its kind. */
const H3_NO_ERROR = 256;
const CONTROL_STREAM = 3;

/**
 * Connections that HAProxy has ended as it should: GOAWAY, every answer that it had begun, H3_NO_ERROR. What
 * it had not begun it declares unprocessed (RFC 9114, section 5.2), and browsers send it again. curl (8.23)
 * reports such a request as failed even where it has sent nothing of it yet, and an answer that came
 * whole but together with the close. Its own words don't tell, so this is read from its qlog files.
 */
async function orderlyEnds(logs: string): Promise<number> {
  let ends = 0;
  for await (const { name } of Deno.readDir(logs)) {
    const frames = receivedFrames(await Deno.readTextFile(join(logs, name)));
    const closed = frames.some(({ error_space, error_code }) =>
      error_space === "application" && error_code === H3_NO_ERROR
    );
    const data = frames.filter(({ frame_type }) => frame_type === "stream");
    // There is nothing on it after the settings but this.
    const goaway = data.some(({ stream_id, offset }) => stream_id === CONTROL_STREAM && offset > 0);
    const answers = data.filter(({ stream_id }) => stream_id % 4 === 0);
    const whole = new Set(answers.filter(({ fin }) => fin).map(({ stream_id }) => stream_id));
    if (closed && goaway && answers.every(({ stream_id }) => whole.has(stream_id))) ends++;
  }
  return ends;
}

function receivedFrames(log: string): Frame[] {
  // A curl that was ended leaves half a line.
  const lines = log.split("\n").filter((line) => line.endsWith("}"));
  return lines.filter((line) => line.includes('"transport:packet_received"'))
    .flatMap((line) => JSON.parse(line.replace("\x1e", "")).data.frames ?? []);
}

/** Without it a test fails and is not skipped. */
export function curlBinary(): string {
  const binary = Deno.env.get("CURL_HTTP3");
  if (!binary) {
    throw new Error("CURL_HTTP3 is not set: it has to be the path of a curl with HTTP/3");
  }
  return binary;
}
