/** Changes that come together share their fsync, their connection and their checkpoint (group commit). */
import { type Call, callAll, openClient } from "../mcp_load.ts";
import { atLeast, atMost, type Row } from "../row.ts";
import { openSite, servedDomain } from "../site.ts";
import { digits, inMs, median } from "../statistics.ts";

const CLIENTS = 16;
const SLOTS = 12;

const addServer = (pool: number, slot: number): Call => ({
  tool: "haproxy_add_server",
  args: { domain: servedDomain(pool), slot, ip: "127.0.0.1", http_port: 9000 + slot },
});

/** Slots 2 and up of every pool. */
const all = (pools: number) =>
  Array.from(
    { length: pools * (SLOTS - 2) },
    (_, i) => addServer(1 + i % pools, 2 + Math.floor(i / pools)),
  );

export const manyClients: Row = {
  name: "many_clients",
  async measure(scale) {
    const pools = scale === "full" ? 100 : 8;
    const options = { pools, slots: SLOTS, served: pools };
    const rates = { one: [] as number[], many: [] as number[] };
    for (let round = 0; round < (scale === "full" ? 3 : 1); round++) {
      for (const [clients, into] of [[1, rates.one], [CLIENTS, rates.many]] as const) {
        await using site = await openSite(options);
        await callAll(site.target(), [addServer(1, SLOTS)]);
        into.push((await callAll(site.target(), all(pools), clients)).rate);
      }
    }
    return [atLeast(4, {
      what: `${all(pools).length} add_server calls, ${CLIENTS} clients at once: calls a second`,
      ours: digits(median(rates.many)),
      beside: `one client: ${digits(median(rates.one))}`,
      ratio: median(rates.many) / median(rates.one),
    })];
  },
};

export const batch: Row = {
  name: "add_servers",
  async measure(scale) {
    const pools = scale === "full" ? 100 : 10;
    await using site = await openSite({ pools: pools * 2, slots: SLOTS, served: pools * 2 });
    const ten = (pool: number): Call => ({
      tool: "haproxy_add_servers",
      args: {
        domain: servedDomain(pool),
        servers: Array.from(
          { length: 10 },
          (_, i) => ({ slot: 2 + i, ip: "127.0.0.1", http_port: 9000 + i }),
        ),
      },
    });
    using client = await openClient(site.target());
    for (const call of [addServer(1, SLOTS), ten(2)]) await client.call(call);
    const single: number[] = [], together: number[] = [];
    for (let pool = 3; pool < pools; pool++) {
      single.push(await client.call(addServer(pool, 2)));
      together.push(await client.call(ten(pools + pool)));
    }
    return [atMost(2, {
      what: "add_servers of 10 servers: p50",
      ours: inMs(together),
      beside: `one add_server: ${inMs(single)}`,
      ratio: median(together) / median(single),
    })];
  },
};
