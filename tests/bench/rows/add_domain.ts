/** One client adds domains, each with its first server, and each durable when it is answered. */
import { join } from "node:path";
import { type Call, openClient } from "../mcp_load.ts";
import { openAppend, pipelined } from "../limit.ts";
import { recordCommands } from "../recorder.ts";
import { atMost, type Row } from "../row.ts";
import { openHaproxy, openSite } from "../site.ts";
import { inMs, median } from "../statistics.ts";

const NEW = "new.bench.test";

export const newDomain = (number: number): Call => ({
  tool: "haproxy_add_domain",
  args: { domain: `${number}.${NEW}`, ip: "127.0.0.1", http_port: 9000 },
});

export const addDomain: Row = {
  name: "add_domain",
  async measure(scale) {
    const samples = scale === "full" ? 300 : 20;
    const shape = { pools: samples + 10, slots: 2 };
    await using site = await openSite(shape);
    await using bare = await openHaproxy(shape);
    const [{ changing }] = await recordCommands(bare, [newDomain(0)]);
    await bare.kill9();
    await bare.start();
    using file = await openAppend(join(bare.root, "append"));
    using client = await openClient(site.target());
    for (const number of [0, 1, 2]) await client.call(newDomain(number));

    const times: number[] = [], limits: number[] = [];
    for (let number = 3; number < samples + 3; number++) {
      times.push(await client.call(newDomain(number)));
      const commands = changing.map((command) =>
        command.replaceAll(`0.${NEW}`, `${number}.${NEW}`)
          .replaceAll("pool_1", `pool_${number}`)
      );
      limits.push(await file.append() + await pipelined(bare.options.api, commands));
    }
    return [
      atMost(2.5, {
        what: "add_domain with a server, one client, durable: p50",
        ours: inMs(times),
        beside: `its commands sent bare, and one fsynced append: ${inMs(limits)}`,
        ratio: median(times) / median(limits),
      }),
    ];
  },
};
