/**
 * Clock jumps: the wall clock goes hours forward and back while `serve` works and between its runs, or the machine is
 * suspended. Nothing that was answered is lost, no wait gets longer or shorter, nobody is taken for dead.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Serve } from "../support/agent.ts";
import { type Clock, openClock } from "../support/evidence/faults/clock.ts";
import { FULL, randomFrom, record, seedFor } from "../support/evidence/record.ts";
import { startBackend } from "../support/backend.ts";
import { eventually } from "../support/eventually.ts";
import { type Haproxy, startHaproxy } from "../support/haproxy.ts";
import type { ToolCaller } from "../support/mcp_client.ts";
import { request } from "../support/request.ts";
import { runningSlots } from "../support/tools.ts";

const HOUR = 3_600;
/** Seconds. */
const JUMPS = [HOUR, -HOUR, 9 * HOUR, -9 * HOUR, 40 * 24 * HOUR, -400 * 24 * HOUR];
const ROUNDS = FULL ? 50 : 1;
/** Waits are counted in seconds by HAProxy's deadline: so much more is the machine's own slowness. */
const SLOW_MS = 8_000;

const SLOTS = [1, 2, 3, 4];
const slot = (number: number) => ({ domain: "a.test", slot: number });

interface Counts {
  tried: number;
  lost: number;
  failed: number;
}

/** Counts what `act` tries; a failed assertion is one that failed. */
async function counting(what: string, act: (counts: Counts) => Promise<void>): Promise<void> {
  const counts = { tried: 0, lost: 0, failed: 1 };
  try {
    await act(counts);
    counts.failed = 0;
  } finally {
    record("Clock jumps", what, { ...counts });
  }
}

async function openSite(clock: Clock) {
  await using opening = new AsyncDisposableStack();
  const haproxy = opening.use(await startHaproxy({ pools: 2, slots: 4 }));
  const agent = opening.use(await clock.serve(haproxy));
  const http = await agent.connect();
  await http.call("add_domain", { domain: "a.test", ip: "10.0.0.1" });
  for (const number of SLOTS.slice(1)) {
    await http.call("add_server", { ...slot(number), ip: `10.0.0.${number}` });
  }
  const opened = opening.move();
  return { haproxy, agent, http, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Weights set one after the other in each slot, until `over`; what was answered last, and how many were. */
function changing(http: ToolCaller, random: () => number) {
  const answered = new Map<number, number>();
  let count = 0;
  let over = false;
  const loops = SLOTS.map(async (number) => {
    while (!over) {
      const weight = 1 + Math.floor(random() * 255);
      await http.call("set_server_weight", { ...slot(number), weight });
      answered.set(number, weight);
      count += 1;
      await delay(20);
    }
  });
  return {
    answered,
    async stop(): Promise<number> {
      over = true;
      await Promise.all(loops);
      return count;
    },
  };
}

async function weights(haproxy: Haproxy): Promise<Map<number, number>> {
  const rows = (await runningSlots(haproxy)).matchAll(/^pool_1_(\d) \S+ \d+ (\d+)$/gm);
  return new Map(Array.from(rows, ([, number, weight]) => [Number(number), Number(weight)]));
}

function assertNobodyLost(agent: Serve): void {
  assert.doesNotMatch(agent.log(), /lost|took over|ERROR/);
}

async function audited({ root }: Haproxy, tool: string): Promise<number> {
  const lines = (await Deno.readTextFile(join(root, "data/audit.jsonl"))).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line)).filter((each) => each.tool === tool).length;
}

async function timed<T>(
  act: () => Promise<T>,
): Promise<{ readonly ms: number; readonly value: T }> {
  const start = performance.now();
  const value = await act();
  return { ms: performance.now() - start, value };
}

Deno.test("the clock jumps under changes: each is done, logged once, and there after a kill and a start at another time", () =>
  counting("while changes come", async (counts) => {
    const random = randomFrom(seedFor("clock jumps"));
    await using clock = await openClock();
    await using site = await openSite(clock);
    const { haproxy, agent, http } = site;
    const load = changing(http, random);
    for (let round = 0; round < ROUNDS; round++) {
      for (const jump of JUMPS) {
        await clock.jump(jump);
        counts.tried += 1;
        await delay(300 + random() * 400);
      }
    }
    const count = await load.stop();
    assertNobodyLost(agent);
    assert.equal(await audited(haproxy, "haproxy_set_server_weight"), count);
    await agent.end("SIGKILL");
    for (const jump of [-9 * HOUR, 40 * 24 * HOUR, 0]) {
      await clock.jump(jump);
      counts.tried += 1;
      await haproxy.kill9();
      await haproxy.start();
      await using again = await clock.serve(haproxy);
      const held = await weights(haproxy);
      counts.lost += SLOTS.filter((number) =>
        held.get(number) !== load.answered.get(number)
      ).length;
      assert.deepEqual(held, load.answered);
      const weight = 1 + (load.answered.get(1)! % 255);
      await (await again.connect()).call("set_server_weight", { ...slot(1), weight });
      load.answered.set(1, weight);
      await again.end("SIGKILL");
    }
  }));

Deno.test("the clock jumps while HAProxy hangs: a call is given up after its deadline, neither sooner nor later", () =>
  counting("during a deadline", async (counts) => {
    await using clock = await openClock();
    await using site = await openSite(clock);
    const { haproxy, http } = site;
    const worker = await haproxy.workerPid();
    for (const jump of [9 * HOUR, -9 * HOUR]) {
      counts.tried += 1;
      const before = await weights(haproxy);
      Deno.kill(worker, "SIGSTOP");
      try {
        const call = timed(() => http.refused("set_server_weight", { ...slot(1), weight: 99 }));
        await delay(500);
        await clock.jump(clock.offset + jump);
        const { ms, value } = await call;
        assert.equal(value.code, "HAPROXY_UNREACHABLE");
        assert.ok(ms > 4_900 && ms < 5_000 + SLOW_MS, `${ms} ms`);
      } finally {
        Deno.kill(worker, "SIGCONT");
      }
      await eventually(() =>
        http.ask("set_server_weight", { ...slot(2), weight: 7 }).then((a) => a.ok)
      );
      before.set(2, 7);
      assert.deepEqual(await weights(haproxy), before);
    }
  }));

Deno.test("the clock jumps while a call waits for a server's last request: it waits as long as it was told", () =>
  counting("during a wait", async (counts) => {
    await using clock = await openClock();
    await using backend = startBackend("slow");
    await using site = await openSite(clock);
    const { haproxy, http, agent } = site;
    await http.call("add_domain", {
      domain: "slow.test",
      http_port: backend.port,
      ip: "127.0.0.1",
    });
    const port = haproxy.options.httpPort;
    const last = request({ port, host: "slow.test", path: "/slow?ms=600000" });
    const broken = assert.rejects(last);
    await eventually(() => backend.requests === 1);
    const drain = { domain: "slow.test", slot: 1, state: "drain", force: true };
    await http.call("set_server_state", drain);
    for (const jump of JUMPS) {
      counts.tried += 1;
      const wait = timed(() => http.call("wait_drain", { domain: "slow.test", timeout: 1 }));
      await delay(300);
      await clock.jump(clock.offset + jump);
      const { ms, value: { structured } } = await wait;
      assert.equal(structured.drained, false);
      assert.ok(ms >= 950 && ms < 1_000 + SLOW_MS, `${ms} ms`);
      assert.ok(Number(structured.waited_s) < (1_000 + SLOW_MS) / 1_000);
    }
    assertNobodyLost(agent);
    await haproxy.kill9();
    await broken;
  }));

Deno.test("the clock jumps while HAProxy is killed and starts without its servers: they come back", () =>
  counting("while HAProxy starts", async (counts) => {
    await using clock = await openClock();
    await using site = await openSite(clock);
    const { haproxy, http } = site;
    await http.call("set_server_weight", { ...slot(3), weight: 77 });
    const right = await weights(haproxy);
    const file = haproxy.options.serverState;
    for (const jump of [9 * HOUR, -9 * HOUR]) {
      counts.tried += 1;
      // The agent writes it again, once the servers are back.
      await eventually(() => Deno.stat(file).then(() => true, () => false));
      await haproxy.kill9();
      await Deno.remove(file);
      await clock.jump(clock.offset + jump);
      await haproxy.start();
      await clock.jump(clock.offset - 2 * jump);
      await eventually(async () => (await weights(haproxy)).get(3) === 77);
      assert.deepEqual(await weights(haproxy), right);
    }
  }));

Deno.test("the clock jumps beyond every session's age: the session and its client go on", () =>
  counting("between a session's calls", async (counts) => {
    await using clock = await openClock();
    await using site = await openSite(clock);
    const client = await site.agent.connect("2025");
    for (const jump of JUMPS) {
      await clock.jump(clock.offset + jump);
      counts.tried += 1;
      await client.call("list_domains");
      await client.call("set_server_weight", { ...slot(1), weight: counts.tried });
    }
    assertNobodyLost(site.agent);
  }));

Deno.test("the machine is suspended under changes: nobody is taken for lost, and each change is done", () =>
  counting("machine suspended", async (counts) => {
    const random = randomFrom(seedFor("suspended"));
    await using clock = await openClock();
    await using site = await openSite(clock);
    const { haproxy, agent, http } = site;
    const load = changing(http, random);
    for (let round = 0; round < ROUNDS * 2; round++) {
      counts.tried += 1;
      await delay(300);
      Deno.kill(agent.pid, "SIGSTOP");
      try {
        await delay(3_500);
        await clock.jump(clock.offset + 9 * HOUR);
      } finally {
        Deno.kill(agent.pid, "SIGCONT");
      }
      await delay(2_500);
    }
    const count = await load.stop();
    const held = await weights(haproxy);
    counts.lost += SLOTS.filter((number) => held.get(number) !== load.answered.get(number)).length;
    assert.deepEqual(held, load.answered);
    assert.equal(await audited(haproxy, "haproxy_set_server_weight"), count);
    assertNobodyLost(agent);
  }));
