/** Certificates that disk has and HAProxy lacks, loaded. */
import { join } from "node:path";
import type { Haproxy } from "../../support/haproxy.ts";
import { manyCertificates, type NamedPem } from "../certificates.ts";
import { pipelined } from "../limit.ts";
import { callAll } from "../mcp_load.ts";
import { atMost, type Row } from "../row.ts";
import { openHaproxy, openSite } from "../site.ts";
import { digits, median } from "../statistics.ts";

const SHAPE = { pools: 1, slots: 1 };
const RESTORE = { tool: "haproxy_restore_state" };

export const certificates: Row = {
  name: "certificates",
  async measure(scale) {
    const count = scale === "full" ? 1_000 : 50;
    const pems = await manyCertificates(
      Array.from({ length: count }, (_, i) => `site-${i}.bench.test`),
    );
    const limits: number[] = [], times: number[] = [];
    for (let round = 0; round < (scale === "full" ? 9 : 1); round++) {
      limits.push(await bare(pems));
      times.push(await ours(pems));
    }
    return [atMost(1.3, {
      what: `${count.toLocaleString("en")} certificates loaded`,
      ours: `${digits(median(times))} ms`,
      beside: `their commands sent bare: ${digits(median(limits))} ms`,
      ratio: median(times) / median(limits),
    })];
  },
};

const pathOf = ({ root }: Haproxy, name: string) => join(root, `certs/${name}.pem`);
const listOf = ({ root }: Haproxy) => join(root, "certs/crt-list.txt");

async function bare(pems: readonly NamedPem[]): Promise<number> {
  await using haproxy = await openHaproxy(SHAPE);
  const commands = pems.flatMap(({ name, pem }) => {
    const path = pathOf(haproxy, name);
    return [
      `new ssl cert ${path}`,
      `set ssl cert ${path} <<%END%\n${pem}%END%`,
      `commit ssl cert ${path}`,
      `add ssl crt-list ${listOf(haproxy)} <<%END%\n${path} ${name}\n%END%`,
    ];
  });
  const ms = await pipelined(haproxy.options.api, commands);
  await assertServed(haproxy, pems.length);
  return ms;
}

async function ours(pems: readonly NamedPem[]): Promise<number> {
  await using site = await openSite(SHAPE);
  const { haproxy } = site;
  await callAll(site.target(), [RESTORE]);
  for (const { name, pem } of pems) await Deno.writeTextFile(pathOf(haproxy, name), pem);
  const lines = pems.map(({ name }) => `${pathOf(haproxy, name)} ${name}\n`);
  await Deno.writeTextFile(listOf(haproxy), lines.join(""), { append: true });
  // They lie there since long: the kernel's writing of a thousand files is not what is measured.
  await new Deno.Command("sync").output();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { times } = await callAll(site.target(), [RESTORE]);
  await assertServed(haproxy, pems.length);
  return times[0];
}

async function assertServed(haproxy: Haproxy, count: number): Promise<void> {
  const listed = (await haproxy.runtime("show ssl cert")).match(/\.pem$/gm)?.length;
  if (listed !== count + 1) throw new Error(`HAProxy has ${listed} certificates`);
}
