/** What HAProxy counts, read through a tool. */
import { pipelined } from "../limit.ts";
import { openClient } from "../mcp_load.ts";
import { recordCommands } from "../recorder.ts";
import type { Line, Row } from "../row.ts";
import { openSite, servedDomain } from "../site.ts";
import { digits, inMs, median } from "../statistics.ts";

/** A call over HTTP has to cost so much more than its commands at most. */
const TIMES = 2, PLUS_MS = 0.5;

export const reading: Row = {
  name: "reading",
  async measure(scale) {
    const samples = scale === "full" ? 300 : 20;
    // 1,000 slots, and in 100 of them a server.
    await using site = await openSite({ pools: 100, slots: 10, served: 100 });
    const calls = [
      { tool: "haproxy_stats" },
      { tool: "haproxy_domain_health", args: { domain: servedDomain(7) } },
    ];
    const recorded = await recordCommands(site.haproxy, calls);
    using client = await openClient(site.target());
    const lines: Line[] = [];
    for (const [i, call] of calls.entries()) {
      const rows = recorded[i].all.filter((command) => command.startsWith("show stat"));
      for (let warm = 0; warm < 10; warm++) await client.call(call);
      const ours: number[] = [], limits: number[] = [];
      for (let sample = 0; sample < samples; sample++) {
        limits.push(await pipelined(site.haproxy.options.api, rows));
        ours.push(await client.call(call));
      }
      const most = TIMES * median(limits) + PLUS_MS;
      lines.push({
        what: `${call.tool.slice("haproxy_".length)} with 1,000 slots, 100 active: p50`,
        ours: inMs(ours),
        beside: `bare \`${rows.join("; ")}\`: ${inMs(limits)}`,
        result: `${digits(median(ours))} ms of ${digits(most)}`,
        target: `≤ ${TIMES} × + ${PLUS_MS} ms`,
        met: median(ours) <= most,
      });
    }
    return lines;
  },
};
