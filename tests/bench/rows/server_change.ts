/** One server's address, and what HAProxy counts, beside the programs in Go that do the same. */
import { startHaproxy } from "../../support/haproxy.ts";
import { openClient } from "../mcp_load.ts";
import type { Missing } from "../peers/install.ts";
import {
  openDataPlaneApi,
  openTuannvm,
  type ServerChanger,
  withPeerServer,
} from "../peers/go_peers.ts";
import { atMost, type Line, notHere, type Row } from "../row.ts";
import { openSite, servedDomain } from "../site.ts";
import { inMs, median } from "../statistics.ts";

const PEERS = [
  { name: "Data Plane API", open: openDataPlaneApi },
  { name: "tuannvm/haproxy-mcp-server", open: openTuannvm },
];
const WHAT = { change: "one server's address changed, durable: p50", stat: "`show stat`: p50" };

export const serverChange: Row = {
  name: "server_change",
  async measure(scale) {
    const samples = scale === "full" ? 100 : 5;
    await using site = await openSite({ pools: 10, slots: 10, served: 10 });
    using client = await openClient(site.target());
    const ours = {
      async changeAddress(port: number) {
        const args = { domain: servedDomain(1), slot: 1, ip: "127.0.0.1", http_port: port };
        return await client.call({ tool: "haproxy_add_server", args });
      },
      showStat: () => client.call({ tool: "haproxy_stats" }),
    };
    const lines: Line[] = [];
    for (const { name, open } of PEERS) {
      await using haproxy = await startHaproxy({ pools: 10, slots: 10, edit: withPeerServer });
      const peer: ServerChanger | Missing = await open(haproxy);
      if ("why" in peer) {
        for (const what of Object.values(WHAT)) {
          lines.push(notHere(what, `≤ 1 × ${name}`, peer.why));
        }
        continue;
      }
      await using theirs = peer;
      const times = { change: [[], []], stat: [[], []] } as Record<keyof typeof WHAT, number[][]>;
      for (let sample = 0; sample < samples; sample++) {
        times.change[0].push(await ours.changeAddress(10_000 + sample));
        times.change[1].push(await timed(() => theirs.changeAddress(10_000 + sample)));
        times.stat[0].push(await ours.showStat());
        times.stat[1].push(await timed(() => theirs.showStat()));
      }
      for (const [kind, [own, other]] of Object.entries(times)) {
        lines.push(atMost(1, {
          what: WHAT[kind as keyof typeof WHAT],
          ours: inMs(own),
          beside: `${name}: ${inMs(other)}`,
          ratio: median(own) / median(other),
        }));
      }
    }
    return lines;
  },
};

async function timed(act: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}
