/** What each stretch of a call's way costs one client that waits for every answer. Each is the one before and one more. */
import { openClient } from "../mcp_load.ts";
import { explains, type Row } from "../row.ts";
import { openSite, servedDomain } from "../site.ts";
import { inMs } from "../statistics.ts";

export const wayOfACall: Row = {
  name: "way",
  async measure(scale) {
    const samples = scale === "full" ? 500 : 20;
    await using site = await openSite({ pools: 2, slots: 2, served: 1 });
    using client = await openClient(site.target());
    const ways = [
      ["HTTP alone (`GET /healthz`): p50", () => client.get("/healthz")],
      [
        "and MCP, answered by the front room (`resources/templates/list`): p50",
        () => client.ask("resources/templates/list"),
      ],
      [
        "and the tools room, which looks at its files (`list_domains` of one): p50",
        () => client.call({ tool: "haproxy_list_domains" }),
      ],
      [
        "and HAProxy, by one connection (`domain_health` of one server): p50",
        () => client.call({ tool: "haproxy_domain_health", args: { domain: servedDomain(1) } }),
      ],
    ] as const;
    const times = ways.map((): number[] => []);
    for (let sample = -20; sample < samples; sample++) {
      for (const [i, [, go]] of ways.entries()) {
        const ms = await go();
        if (sample >= 0) times[i].push(ms);
      }
    }
    return ways.map(([what], i) => explains(what, inMs(times[i])));
  },
};
