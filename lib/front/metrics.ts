/** Prometheus metrics: what the front room counts itself, and what the tools room measures when it is asked. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import project from "../../deno.json" with { type: "json" };
import type { Measured } from "../measured.ts";

export interface Metrics {
  onCall(tool: string, code: string, seconds: number): void;
  onAnswer(route: string, status: number): void;
  /**
   * Prometheus' text format.
   *
   * @param measure undefined: the tools room does not answer
   */
  text(now: Now, measure: () => Promise<Measured | undefined>): Promise<string>;
}

/** What is open at the moment. */
export interface Now {
  readonly connections: number;
  readonly sessions: number;
  readonly streams: number;
}

/** From a read in memory to an order at a CA. */
const SECONDS = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
  300,
];

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Gauge<T>({ name: `haproxy_mcp_${name}`, help, labelNames, registers });
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[] = []) =>
    new Counter<T>({ name: `haproxy_mcp_${name}`, help, labelNames, registers });

  const calls = counter(
    "tool_calls_total",
    "Calls of tools by result: OK, ASKED or the error's code.",
    [
      "tool",
      "code",
    ],
  );
  const durations = new Histogram({
    name: "haproxy_mcp_tool_duration_seconds",
    help: "How long calls of tools took.",
    labelNames: ["tool"],
    buckets: SECONDS,
    registers,
  });
  const answers = counter("http_responses_total", "Answers by route and status.", [
    "route",
    "status",
  ]);
  const connections = gauge("connections", "Open HTTP connections.");
  const sessions = gauge("sessions", "Sessions of the protocols up to 2025-11-25.");
  const streams = gauge(
    "streams",
    "Open streams that last: GET of a session, subscriptions/listen, status pages.",
  );
  const memory = gauge("resident_memory_bytes", "Memory of the whole process.");
  gauge("build_info", "Always 1.", ["version", "deno"])
    .set({ version: project.version, deno: Deno.version.deno }, 1);

  const up = gauge("haproxy_up", "1: HAProxy's Runtime API answers.");
  const exchanges = counter(
    "haproxy_conversations_total",
    "Connections to the Runtime API by result.",
    [
      "result",
    ],
  );
  const spent = counter("haproxy_conversation_seconds_total", "Time spent on them.");
  const differences = gauge(
    "sync_differences",
    "What differs between disk and HAProxy; no value: it can't be known.",
    ["kind"],
  );
  const domains = gauge("domains", "Domains that are routed, wildcards included.");
  const servers = gauge("servers", "Servers that are configured.");
  const daysLeft = gauge("certificate_days_left", "Until a certificate's last day.", ["domain"]);
  const renewalFailures = gauge("certificate_renewal_failures", "Orders that failed in a row.", [
    "domain",
  ]);

  function take({ haproxy, sync, certificates, ...counts }: Measured): void {
    up.set(haproxy.up ? 1 : 0);
    if (counts.domains !== undefined) domains.set(counts.domains);
    if (counts.servers !== undefined) servers.set(counts.servers);
    exchanges.reset();
    exchanges.inc({ result: "ok" }, haproxy.ok);
    exchanges.inc({ result: "failed" }, haproxy.failed);
    spent.reset();
    spent.inc(haproxy.seconds);
    for (const [kind, count] of Object.entries(sync ?? {})) differences.set({ kind }, count);
    for (const { domain, days, failures } of certificates) {
      if (days !== null) daysLeft.set({ domain }, days);
      renewalFailures.set({ domain }, failures);
    }
  }

  return {
    onCall(tool, code, seconds) {
      calls.inc({ tool, code });
      durations.observe({ tool }, seconds);
    },
    onAnswer: (route, status) => answers.inc({ route, status: String(status) }),
    async text(now, measure) {
      connections.set(now.connections);
      sessions.set(now.sessions);
      streams.set(now.streams);
      memory.set(Deno.memoryUsage().rss);
      for (const each of [up, differences, daysLeft, renewalFailures]) each.reset();
      // No value is not the same as 0 where it can't be known.
      for (const each of [domains, servers]) each.remove();
      const measured = await measure();
      if (measured) take(measured);
      return await registry.metrics();
    },
  };
}
