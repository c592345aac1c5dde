/** The samples of HAProxy's traffic: counters that grow, go back, and are not there for a while. */
import assert from "node:assert/strict";
import { runtimeClient } from "../../lib/runtime/connection.ts";
import { readProcess } from "../../lib/reconcile/processes.ts";
import { sampleBetween, watchTraffic } from "../../tools/traffic.ts";
import { startBackend } from "../support/backend.ts";
import { eventually } from "../support/eventually.ts";
import { openTools } from "../support/tools.ts";

const reading = (
  at: number,
  process: string,
  counts: Record<string, [number, number, number]>,
) => ({
  at,
  process,
  frontends: new Map(
    Object.entries(counts).map(([name, [requests, answers, errors]]) => [
      name,
      { requests, answers, errors },
    ]),
  ),
});

Deno.test("sampleBetween: what all frontends took, by the second, and the share of 5xx among their answers", () => {
  const before = reading(0, "1", { http: [100, 100, 10], https: [50, 50, 0] });
  const after = reading(5_000, "1", { http: [110, 108, 12], https: [90, 82, 2] });
  assert.deepEqual(sampleBetween(before, after), { at: 5_000, requests: 10, errors: 0.1 });
});

Deno.test("sampleBetween: without answers there is no error", () => {
  const quiet = { http: [7, 7, 7] as [number, number, number] };
  assert.deepEqual(sampleBetween(reading(0, "1", quiet), reading(5_000, "1", quiet)), {
    at: 5_000,
    requests: 0,
    errors: 0,
  });
});

Deno.test("sampleBetween: another process counts from 0, whether or not it has counted more by now", () => {
  for (const requests of [10, 1_000]) {
    const before = reading(0, "1", { http: [requests, requests, 0] });
    const after = reading(5_000, "2", { http: [20, 20, 10] });
    assert.deepEqual(sampleBetween(before, after), { at: 5_000, requests: 4, errors: 0.5 });
  }
});

Deno.test("sampleBetween: counters that somebody cleared count from 0", () => {
  const before = reading(0, "1", { http: [100, 100, 100] });
  const after = reading(5_000, "1", { http: [20, 20, 0] });
  assert.deepEqual(sampleBetween(before, after), { at: 5_000, requests: 4, errors: 0 });
});

Deno.test("sampleBetween: over a long time, or back in time, there is no rate", () => {
  const counts = { http: [1, 1, 0] as [number, number, number] };
  assert.equal(sampleBetween(reading(0, "1", counts), reading(16_000, "1", counts)), undefined);
  assert.equal(sampleBetween(reading(9_000, "1", counts), reading(5_000, "1", counts)), undefined);
});

Deno.test("watchTraffic: a sample each 5 s of a real HAProxy, over reloads; old ones go, and failures are gaps", async () => {
  await using rig = await openTools({ heal: false });
  const { haproxy } = rig;
  await using site = startBackend("one");
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: site.port });
  await eventually(async () => (await rig.get("a.test")).status === 200);
  const runtime = runtimeClient({ host: "127.0.0.1", port: haproxy.options.api.port });
  let now = 1_800_000_000_000;
  const traffic = watchTraffic(() => now);
  const look = async (seconds: number) => {
    now += seconds * 1000;
    const process = await readProcess(runtime);
    await runtime.converse((talk) => traffic.ask(talk, process));
  };
  const ask = async (paths: readonly string[]) => {
    for (const path of paths) await rig.get("a.test", path);
  };

  await look(0);
  assert.deepEqual(traffic.samples(), []);
  await ask(["/", "/", "/", "/status?code=500"]);
  await look(1);
  assert.deepEqual(traffic.samples(), [], "it is too early for one");
  await look(4);
  const [first] = traffic.samples();
  assert.deepEqual(first, { at: now, requests: 0.8, errors: 0.25 });

  await haproxy.reload();
  await ask(["/"]);
  await look(5);
  assert.deepEqual(traffic.samples()[1], { at: now, requests: 0.2, errors: 0 });

  await traffic.ask({ exchange: () => Promise.reject(new Error("broken")) }, {
    key: "x",
    stopping: false,
  });
  await look(60);
  assert.equal(traffic.samples().length, 2);
  for (let i = 0; i < 190; i++) await look(5);
  assert.equal(traffic.samples().length, 180);
  assert.ok(traffic.samples().every(({ at }) => at > now - 900_000));
});

Deno.test("healing's looks take the samples: they are there before anybody asks", async () => {
  await using rig = await openTools();
  await eventually(() => rig.context.traffic.samples().length >= 1, 20_000);
});
