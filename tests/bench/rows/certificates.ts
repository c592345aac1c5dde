/**
 * 1,000 certificates that disk has and HAProxy lacks, loaded by haproxy_restore_state of the compiled binary, over the bare
 * commands sent by a pipelining script in the same run. Prints one line for each round, and the ratio of the medians.
 *
 * Usage: certificates.ts [ROUNDS]
 */
import { join } from "node:path";
import { startServe } from "../support/agent.ts";
import { type Haproxy, startHaproxy } from "../support/haproxy.ts";
import { manyCertificates, type NamedPem } from "./many_certificates.ts";
import { pipelined } from "./pipelined.ts";

const COUNT = 1_000;
const TARGET = 1.3;
const rounds = Number(Deno.args[0] ?? 9);

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const pathOf = ({ root }: Haproxy, name: string) => join(root, `certs/${name}.pem`);

async function bare(certificates: readonly NamedPem[]): Promise<number> {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  const list = join(haproxy.root, "certs/crt-list.txt");
  const commands = certificates.flatMap(({ name, pem }) => {
    const path = pathOf(haproxy, name);
    return [
      `new ssl cert ${path}`,
      `set ssl cert ${path} <<%END%\n${pem}%END%`,
      `commit ssl cert ${path}`,
      `add ssl crt-list ${list} <<%END%\n${path} ${name}\n%END%`,
    ];
  });
  const ms = await pipelined(haproxy.options.api, commands);
  await assertServed(haproxy);
  return ms;
}

async function ours(certificates: readonly NamedPem[]): Promise<number> {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  await using agent = await startServe(haproxy);
  const caller = await agent.connect();
  await caller.call("restore_state");
  for (const { name, pem } of certificates) await Deno.writeTextFile(pathOf(haproxy, name), pem);
  const lines = certificates.map(({ name }) => `${pathOf(haproxy, name)} ${name}\n`);
  await Deno.writeTextFile(join(haproxy.root, "certs/crt-list.txt"), lines.join(""), {
    append: true,
  });
  // They lie there since long: the kernel's writing of a thousand files is not what is measured.
  await new Deno.Command("sync").output();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const start = performance.now();
  const { structured } = await caller.call("restore_state");
  const ms = performance.now() - start;
  if (structured.changed_count !== COUNT) throw new Error(JSON.stringify(structured));
  await assertServed(haproxy);
  return ms;
}

async function assertServed(haproxy: Haproxy): Promise<void> {
  const listed = (await haproxy.runtime("show ssl cert")).match(/\.pem$/gm)?.length;
  if (listed !== COUNT + 1) throw new Error(`HAProxy has ${listed} certificates`);
}

const certificates = await manyCertificates(
  Array.from({ length: COUNT }, (_, i) => `site-${i}.bench.test`),
);
const limits: number[] = [], times: number[] = [];
for (let round = 1; round <= rounds; round++) {
  limits.push(await bare(certificates));
  times.push(await ours(certificates));
  console.log(
    `round ${round}: bare commands ${limits.at(-1)!.toFixed(0)} ms, ` +
      `restore_state ${times.at(-1)!.toFixed(0)} ms`,
  );
}
const least = (values: readonly number[]) => Math.min(...values);
const line = (what: string, of: (values: readonly number[]) => number) =>
  `${(of(times) / of(limits)).toFixed(2)} × in the ${what} of ${rounds} rounds ` +
  `(${of(times).toFixed(0)} ms over ${of(limits).toFixed(0)} ms)`;
// Neighbours on the machine only ever add time, so the least is nearest to what the code costs.
console.log(
  `${COUNT} certificates loaded, over the bare commands (target ≤ ${TARGET} ×): ` +
    `${line("least disturbed", least)}, ${line("median", median)}`,
);
