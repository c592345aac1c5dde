/** What a hundred thousand domains cost: the same calls with a hundred of them, and with more and more. */
import { callAll, times } from "../mcp_load.ts";
import type { Curve } from "../plot.ts";
import { atMost, type Line, type Row, type Scale, within } from "../row.ts";
import { openSite } from "../site.ts";
import { digits, inMs, median } from "../statistics.ts";
import { newDomain } from "./add_domain.ts";

const PAGE = { tool: "haproxy_list_domains", args: { limit: 100 } };
const HEALTH = { tool: "haproxy_domain_health", args: { domain: "site-1.bench.test" } };

export interface Growth {
  readonly domains: number;
  readonly add: readonly number[];
  readonly page: readonly number[];
  readonly health: readonly number[];
}

export function growthRow(onMeasured: (growth: readonly Growth[]) => void): Row {
  return {
    name: "growth",
    async measure(scale) {
      const growth: Growth[] = [];
      for (const domains of scale === "full" ? [100, 1_000, 10_000, 100_000] : [100, 1_000]) {
        growth.push(await measureWith(domains, scale));
      }
      onMeasured(growth);
      return lines(growth);
    },
  };
}

async function measureWith(domains: number, scale: Scale): Promise<Growth> {
  const samples = scale === "full" ? 200 : 10;
  const served = 2;
  const options = { pools: samples + 10, slots: 2, served, shared: domains - served };
  await using site = await openSite(options);
  const target = site.target();
  const warm = 5;
  await callAll(target, [...Array(warm).keys()].map(newDomain));
  await callAll(target, [...times(warm, PAGE), ...times(warm, HEALTH)]);
  const adds = Array.from({ length: samples }, (_, i) => newDomain(warm + i));
  return {
    domains,
    add: (await callAll(target, adds)).times,
    page: (await callAll(target, times(samples, PAGE))).times,
    health: (await callAll(target, times(samples, HEALTH))).times,
  };
}

function lines(growth: readonly Growth[]): Line[] {
  const least = growth[0], most = growth.at(-1)!;
  const many = (count: number) => count.toLocaleString("en");
  return [
    atMost(1.5, {
      what: `add_domain with ${many(most.domains)} domains in the map: p50`,
      ours: inMs(most.add),
      beside: `with ${many(least.domains)}: ${inMs(least.add)}`,
      ratio: median(most.add) / median(least.add),
    }),
    within(
      5,
      "ms",
      `a page of 100 of list_domains at ${many(most.domains)} domains: p50 ` +
        `(at ${many(least.domains)}: ${digits(median(least.page))} ms)`,
      median(most.page),
    ),
  ];
}

export const curves = (growth: readonly Growth[]): readonly Curve[] =>
  [
    { name: "add_domain", of: (one: Growth) => one.add },
    { name: "list_domains, a page of 100", of: (one: Growth) => one.page },
    { name: "domain_health", of: (one: Growth) => one.health },
  ].map(({ name, of }) => ({
    name,
    points: growth.map((one) => ({ x: one.domains, y: median(of(one)) })),
  }));
