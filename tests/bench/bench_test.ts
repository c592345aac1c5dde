/** The benchmark in its short form: every row works, and says what it has to. How fast it was is printed, and fails nothing. */
import assert from "node:assert/strict";
import { atLeast, atMost, explains, notHere, within } from "./row.ts";
import { table, verdict } from "./report.ts";
import { plot } from "./plot.ts";
import { digits, inMs, median, percentile } from "./statistics.ts";

const MAIN = new URL("./main.ts", import.meta.url).pathname;

Deno.test("medians and percentiles are values of the sample, and three digits of them are shown", () => {
  const values = [9, 1, 5, 3, 7];
  assert.equal(median(values), 5);
  assert.equal(percentile(values, 0.99), 9);
  assert.throws(() => median([]));
  assert.deepEqual([0.41234, 8.312, 12.34, 1820.4].map(digits), ["0.412", "8.31", "12.3", "1,820"]);
  assert.equal(inMs([1, 2, 3]), "2.00 ms (p99 3.00)");
});

Deno.test("a line meets its target or misses it, and what can't be measured does neither", () => {
  const compared = { what: "a", ours: "1 ms", beside: "b" };
  const lines = [
    atMost(2, { ...compared, ratio: 2 }),
    atMost(2, { ...compared, ratio: 2.1 }),
    atLeast(4, { ...compared, ratio: 3.9 }),
    within(110, "MB", "memory", 100),
    notHere("peer", "≥ 8 ×", "there is no python3 here"),
    explains("a stretch of it", "1 ms"),
  ];
  assert.deepEqual(lines.map(({ met }) => met), [true, false, false, true, undefined, undefined]);
  assert.equal(verdict(lines), "2 of 4 targets met, 2 missed, 1 not measured here");
  const [head, rule, ...rows] = table(lines).split("\n");
  assert.match(head, /^\| what +\| ours +\| beside \| result +\| target +\| met +\|$/);
  assert.match(rule, /^\|-+\|/);
  assert.equal(rows.length, lines.length);
  assert.match(rows[4], /not measured: there is no python3 here/);
});

Deno.test("the plot has a point for each figure of each curve", () => {
  const curve = (name: string) => ({ name, points: [{ x: 100, y: 1 }, { x: 100_000, y: 3.5 }] });
  const svg = plot("Growth", [curve("add_domain"), curve("list_domains")]);
  assert.equal(svg.match(/<circle /g)?.length, 4);
  assert.equal(svg.match(/<polyline /g)?.length, 2);
  assert.match(svg, /^<svg [^>]+>\n<text [^>]+>Growth<\/text>/);
  assert.match(svg, />4\.00 ms<\/text>/);
  assert.match(svg, />100,000<\/text>/);
});

Deno.test("every row of the benchmark works, beside its baseline of the same run", async () => {
  const { success, stdout, stderr } = await run("--short");
  assert.ok(success, stderr);
  console.log(stdout);
  const rows = stdout.split("\n").filter((line) => line.startsWith("| ")).slice(1);
  for (
    const [what, beside] of [
      [/^\| add_domain with a server/, /one fsynced append: [\d.]+ ms/],
      [/^\| add_domain with 1,000 domains/, /with 100: [\d.]+ ms/],
      [/^\| a page of 100 of list_domains/, /\| [\d.]+ ms /],
      [/^\| \d+ add_server calls, 16 clients/, /one client: [\d,]+/],
      [/^\| add_servers of 10 servers/, /one add_server: [\d.]+ ms/],
      [/^\| restore of 50 servers and 500 domains/, /sent bare: [\d.]+ ms/],
      [/^\| 50 certificates loaded/, /sent bare: [\d.]+ ms/],
      [/^\| haproxy_list_domains .*both stateless JSON: \d+/, /[\d.]+ ×/],
      [/^\| haproxy_list_domains .*both with sessions: \d+/, /[\d.]+ ×/],
      [/^\| one server's address changed/, /not measured: \w|[\d.]+ ×/],
      [/^\| `show stat`: p50/, /not measured: \w|[\d.]+ ×/],
      [/^\| stats with 1,000 slots/, /bare `show stat -1 3 -1`: [\d.]+ ms/],
      [/^\| domain_health with 1,000 slots/, /bare `show stat pool_7 6 -1`: [\d.]+ ms/],
      [/^\| HTTP alone/, /\| [\d.]+ ms \(p99/],
      [/^\| and HAProxy, by one connection/, /\| [\d.]+ ms \(p99/],
      [/^\| a hop between rooms/, /\| [\d.]+ ms /],
      [/^\| `serve`, from exec/, /\| [\d,.]+ ms /],
      [/^\| resident memory of `serve`, idle/, /\| [\d.]+ MB /],
      [/^\| after 2,000 calls/, /\| [\d.]+ MB /],
      [/^\| the executable/, /\| [\d.]+ MB /],
    ] as const
  ) {
    const row = rows.find((line) => what.test(line));
    assert.ok(row && beside.test(row), `${what} in:\n${rows.join("\n")}`);
  }
});

Deno.test("an unknown row is refused with the list of rows", async () => {
  const { success, stderr } = await run("--short", "nonsense");
  assert.equal(success, false);
  assert.match(stderr, /There is no row nonsense: add_domain, growth/);
});

async function run(...args: string[]) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--frozen", "--no-check", "--no-prompt", "--quiet"]
      .concat("--allow-read", "--allow-write", "--allow-net", "--allow-env", "--allow-run")
      .concat("--allow-sys", MAIN, ...args),
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { success, stdout: text(stdout), stderr: text(stderr) };
}
