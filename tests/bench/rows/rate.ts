/** Read-only calls over HTTP from eight connections, beside the same tool on others' stacks. */
import { callAll, type McpTarget, type Speech, times } from "../mcp_load.ts";
import type { Missing } from "../peers/install.ts";
import { type Mode, openFastMcpPeer, openNodePeer, type RunningPeer } from "../peers/mcp_peers.ts";
import { atLeast, type Line, notHere, type Row } from "../row.ts";
import { openSite, type Site } from "../site.ts";
import { digits, inMs, median } from "../statistics.ts";

const CONNECTIONS = 8;
const CALL = { tool: "haproxy_list_domains" };

interface Comparison {
  readonly with: string;
  readonly ours: Speech;
  readonly atLeast: number;
  open(site: Site): Promise<RunningPeer | Missing>;
}

const node = (mode: Mode) => ({ haproxy }: Site) => openNodePeer(haproxy, mode);
const python = (mode: Mode) => ({ haproxy }: Site) => openFastMcpPeer(haproxy, mode);

const COMPARISONS: readonly Comparison[] = [
  {
    with: "Node, Express, SDK 1.x, both stateless JSON",
    ours: "2026",
    atLeast: 2.5,
    open: node("stateless"),
  },
  {
    with: "Node, Express, SDK 1.x, both with sessions",
    ours: "2025 session",
    atLeast: 1,
    open: node("sessions"),
  },
  { with: "FastMCP, stateless JSON", ours: "2026", atLeast: 8, open: python("stateless") },
  { with: "FastMCP, sessions", ours: "2025 session", atLeast: 8, open: python("sessions") },
];

export const rate: Row = {
  name: "rate",
  async measure(scale) {
    await using site = await openSite({ pools: 20, slots: 10, served: 20 });
    const lines: Line[] = [];
    for (const comparison of COMPARISONS) {
      const what = `${CALL.tool} over HTTP, ${CONNECTIONS} connections: calls a second`;
      const beside = comparison.with;
      if (scale === "short" && beside.startsWith("FastMCP")) continue;
      const peer = await comparison.open(site);
      if ("why" in peer) {
        lines.push(notHere(what, `≥ ${comparison.atLeast} × ${beside}`, peer.why));
        continue;
      }
      await using theirs = peer;
      const [ours, others] = await measure(
        site.target(comparison.ours),
        theirs.target,
        scale === "full",
      );
      lines.push(atLeast(comparison.atLeast, {
        what,
        ours: `${digits(median(ours.rates))} (${inMs(ours.times)})`,
        beside: `${beside}: ${digits(median(others.rates))} (${inMs(others.times)})`,
        ratio: median(ours.rates) / median(others.rates),
      }));
    }
    return lines;
  },
};

interface Measured {
  readonly rates: number[];
  readonly times: number[];
}

/** In turns, so that a busy neighbour slows both. */
async function measure(ours: McpTarget, theirs: McpTarget, full: boolean) {
  const measured: readonly [Measured, Measured] = [{ rates: [], times: [] }, {
    rates: [],
    times: [],
  }];
  const targets = [ours, theirs];
  const [warm, calls, rounds] = full ? [1_000, 3_000, 5] : [20, 200, 1];
  for (const target of targets) await callAll(target, times(warm, CALL), CONNECTIONS);
  for (let round = 0; round < rounds; round++) {
    for (const [i, target] of targets.entries()) {
      const result = await callAll(target, times(calls, CALL), CONNECTIONS);
      measured[i].rates.push(result.rate);
      measured[i].times.push(...result.times);
    }
  }
  return measured;
}
