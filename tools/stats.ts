/** The traffic that HAProxy has counted, in all and by frontend and backend. */
import * as z from "zod";
import { showInfo, showProxyStat } from "../lib/runtime/commands.ts";
import { parseInfo, parseStat, type StatRow } from "../lib/runtime/parse.ts";
import { processOf } from "../lib/runtime/process.ts";
import { texts } from "../lib/runtime/replies.ts";
import { count, isUsed, wordOf } from "./monitoring.ts";
import { bytes, duration, textTable } from "./text_table.ts";
import { READS, tool } from "./tool.ts";

const CLASSES = ["1xx", "2xx", "3xx", "4xx", "5xx"] as const;

const counters = z.object({
  sessions: z.int().describe("Now."),
  sessions_max: z.int(),
  sessions_total: z.int(),
  session_rate: z.int().describe("New sessions in the last second."),
  requests: z.int(),
  request_rate: z.int().describe("Requests in the last second."),
  bytes_in: z.int().describe("From clients."),
  bytes_out: z.int().describe("To clients."),
  responses: z.object({
    "1xx": z.int(),
    "2xx": z.int(),
    "3xx": z.int(),
    "4xx": z.int(),
    "5xx": z.int(),
  }),
});
type Counters = z.output<typeof counters>;

const proxy = counters.extend({ name: z.string(), status: z.string() });
const backendStats = proxy.extend({
  queued: z.int().describe("Requests that wait for a server now."),
  connection_errors: z.int(),
  response_errors: z.int(),
  retries: z.int(),
  average_ms: z.object({ queue: z.int(), connect: z.int(), response: z.int(), total: z.int() })
    .describe("Over the last 1024 requests, milliseconds."),
});

function countersOf(row: StatRow): Counters {
  const of = (name: string) => count(row, name);
  return {
    sessions: of("scur"),
    sessions_max: of("smax"),
    sessions_total: of("stot"),
    session_rate: of("rate"),
    requests: of("req_tot"),
    request_rate: of("req_rate"),
    bytes_in: of("bin"),
    bytes_out: of("bout"),
    responses: {
      "1xx": of("hrsp_1xx"),
      "2xx": of("hrsp_2xx"),
      "3xx": of("hrsp_3xx"),
      "4xx": of("hrsp_4xx"),
      "5xx": of("hrsp_5xx"),
    },
  };
}

function proxyOf(row: StatRow): z.output<typeof proxy> {
  return { name: row.pxname, status: wordOf(row.status), ...countersOf(row) };
}

function backendOf(row: StatRow): z.output<typeof backendStats> {
  return {
    ...proxyOf(row),
    // A backend's requests are its sessions; HAProxy counts req_tot for frontends only.
    requests: count(row, "req_tot") || count(row, "stot"),
    queued: count(row, "qcur"),
    connection_errors: count(row, "econ"),
    response_errors: count(row, "eresp"),
    retries: count(row, "wretr"),
    average_ms: {
      queue: count(row, "qtime"),
      connect: count(row, "ctime"),
      response: count(row, "rtime"),
      total: count(row, "ttime"),
    },
  };
}

/** The sum of all frontends, but for `sessions_max`: their peaks need not have come together. */
function totalOf(frontends: readonly Counters[]): Omit<Counters, "sessions_max"> {
  const sum = (pick: (each: Counters) => number) =>
    frontends.reduce((total, each) => total + pick(each), 0);
  return {
    sessions: sum((each) => each.sessions),
    sessions_total: sum((each) => each.sessions_total),
    session_rate: sum((each) => each.session_rate),
    requests: sum((each) => each.requests),
    request_rate: sum((each) => each.request_rate),
    bytes_in: sum((each) => each.bytes_in),
    bytes_out: sum((each) => each.bytes_out),
    responses: Object.fromEntries(
      CLASSES.map((name) => [name, sum((each) => each.responses[name])]),
    ) as Counters["responses"],
  };
}

export const stats = tool({
  name: "haproxy_stats",
  title: "Statistics",
  description:
    "What HAProxy has counted since its start or reload: sessions, requests, rates, bytes and responses by class, in " +
    "all and by frontend and used backend; connections and their limits; the backends' queues, errors and times.",
  group: "monitoring",
  hints: READS,
  input: z.strictObject({}),
  output: z.object({
    process: z.object({
      version: z.string(),
      pid: z.int(),
      uptime_s: z.int(),
      threads: z.int(),
      connections: z.int().describe("Now."),
      connection_limit: z.int(),
      connections_total: z.int(),
      connection_rate: z.int(),
      ssl_connections: z.int().describe("Now."),
      idle_percent: z.int().describe("Of HAProxy's own CPU time: below 20 it is busy."),
    }),
    totals: counters.omit({ sessions_max: true }),
    frontends: z.array(proxy),
    backends: z.array(backendStats),
  }),
  async run(_, { transactions, runtime, shape }, { signal }) {
    const commands = [showInfo(), showProxyStat()];
    const replies = await runtime.converse((talk) => talk.exchange(commands), { signal });
    const [infoText, statText] = texts(commands, replies);
    const info = parseInfo(infoText);
    const { version, pid, uptime } = processOf(info);
    const rows = parseStat(statText);
    const frontends = rows.filter(({ svname }) => svname === "FRONTEND").map(proxyOf);
    const backends = await transactions.read((desired) =>
      rows.filter(({ svname }) => svname === "BACKEND")
        .filter((row) => isUsed(row.pxname, desired, shape) || count(row, "stot") > 0)
        .map(backendOf)
    );
    const structured = {
      process: {
        version,
        pid,
        uptime_s: uptime,
        threads: count(info, "Nbthread"),
        connections: count(info, "CurrConns"),
        connection_limit: count(info, "Maxconn"),
        connections_total: count(info, "CumConns"),
        connection_rate: count(info, "ConnRate"),
        ssl_connections: count(info, "CurrSslConns"),
        idle_percent: count(info, "Idle_pct"),
      },
      totals: totalOf(frontends),
      frontends,
      backends,
    };
    const { process, totals } = structured;
    const text = [
      `HAProxy ${version}, process ${pid}, up ${duration(uptime)}: ` +
      `${process.connections} of ${process.connection_limit} connections, ` +
      `${process.connection_rate} new a second; ${process.idle_percent} % idle.`,
      `${totals.requests} requests in ${totals.sessions_total} sessions, ` +
      `${bytes(totals.bytes_in)} in, ${bytes(totals.bytes_out)} out.`,
      "",
      trafficTable("FRONTEND", frontends),
      "",
      trafficTable("BACKEND", backends),
    ].join("\n");
    return { text, structured };
  },
});

function trafficTable(title: string, rows: readonly z.output<typeof proxy>[]): string {
  const header = [title, "STATUS", "SESSIONS", "MAX", "TOTAL", "REQ", "REQ/s", "IN", "OUT"];
  return textTable(
    [...header, ...CLASSES.slice(1)],
    rows.map((row) => [
      row.name,
      row.status,
      row.sessions,
      row.sessions_max,
      row.sessions_total,
      row.requests,
      row.request_rate,
      bytes(row.bytes_in),
      bytes(row.bytes_out),
      ...CLASSES.slice(1).map((name) => row.responses[name]),
    ]),
  );
}
