/** Two figures for the run's report. Printed, not judged: they depend on the machine. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { runAgent } from "../support/agent.ts";
import { openSite } from "./site.ts";

Deno.test("report: the time of --help and the memory of an idle serve", async () => {
  await using site = await openSite();
  const times: number[] = [];
  for (let i = 0; i < 10; i++) {
    const started = performance.now();
    const { code, stdout } = await runAgent(site.haproxy, ["--help"]);
    times.push(performance.now() - started);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: haproxy-mcp /);
  }
  const [low, high] = times.toSorted((a, b) => a - b).slice(4, 6);
  const median = Math.round((low + high) / 2);
  await site.http.client.close();
  await delay(2_000);
  const resident = await residentMegabytes(site.agent.pid);
  console.log(
    `haproxy-mcp: --help answers in ${median} ms (median of 10), an idle serve takes ${resident} MB`,
  );
});

async function residentMegabytes(pid: number): Promise<number> {
  const args = [
    "-c",
    `sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB$/\\1/p' "/proc/$0/status"`,
    String(pid),
  ];
  const { stdout } = await new Deno.Command("sh", { args }).output();
  const kilobytes = Number(new TextDecoder().decode(stdout));
  assert.ok(kilobytes > 0);
  return Math.round(kilobytes * 1024 / 1e6);
}
