/** Servers and domains that disk has and HAProxy lacks, brought in line. */
import { join } from "node:path";
import type { Haproxy } from "../../support/haproxy.ts";
import { pipelined } from "../limit.ts";
import { callAll } from "../mcp_load.ts";
import { recordCommands } from "../recorder.ts";
import { atMost, type Row } from "../row.ts";
import { mapOf, openHaproxy, openSite, serversOf } from "../site.ts";
import { digits, median } from "../statistics.ts";

const SLOTS = 10;
const RESTORE = { tool: "haproxy_restore_state" };

export const restore: Row = {
  name: "restore",
  async measure(scale) {
    const pools = scale === "full" ? 100 : 5;
    const domains = pools * 100;
    const shape = { pools, slots: SLOTS };
    const numbers = Array.from({ length: pools }, (_, i) => i + 1);
    /** As a person would put a copy there: HAProxy has none of it. */
    const writeFiles = async ({ root }: Haproxy) => {
      const entries = Array.from(
        { length: domains },
        (_, i) => [`${i}.bench.test`, 1 + i % pools] as const,
      );
      await Deno.writeTextFile(join(root, "conf/domains.map"), mapOf(entries));
      await Deno.writeTextFile(join(root, "conf/servers.json"), serversOf(numbers, SLOTS));
    };
    const commands = await commandsOf(shape, writeFiles);

    const times: number[] = [], limits: number[] = [];
    for (let round = 0; round < (scale === "full" ? 7 : 1); round++) {
      await using bare = await openHaproxy(shape);
      const mapped = commands.map((command) => command.replaceAll("ROOT", bare.root));
      limits.push(await pipelined(bare.options.api, mapped));
      await assertHolds(bare, domains);
      await using site = await openSite(shape);
      await callAll(site.target(), [RESTORE]);
      await writeFiles(site.haproxy);
      times.push(...(await callAll(site.target(), [RESTORE])).times);
      await assertHolds(site.haproxy, domains);
    }
    return [atMost(2, {
      what: `restore of ${pools * SLOTS} servers and ${domains.toLocaleString("en")} domains`,
      ours: `${digits(median(times))} ms`,
      beside: `its ${commands.length.toLocaleString("en")} commands sent bare: ` +
        `${digits(median(limits))} ms`,
      ratio: median(times) / median(limits),
    })];
  },
};

/** The root's place is left open: `ROOT`. */
async function commandsOf(
  shape: { readonly pools: number; readonly slots: number },
  writeFiles: (haproxy: Haproxy) => Promise<void>,
): Promise<readonly string[]> {
  await using haproxy = await openHaproxy(shape);
  const [{ changing }] = await recordCommands(haproxy, [RESTORE], () => writeFiles(haproxy));
  return changing.map((command) => command.replaceAll(haproxy.root, "ROOT"));
}

async function assertHolds({ root, runtime }: Haproxy, domains: number): Promise<void> {
  const map = await runtime(`show map ${join(root, "conf/domains.map")}`);
  const found = map.match(/ pool_\d+$/gm)?.length;
  if (found !== domains) throw new Error(`HAProxy has ${found} of ${domains} domains`);
}
