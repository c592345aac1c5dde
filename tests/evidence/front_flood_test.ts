/** Thousands that begin and never go on: sessions never used, connections that send nothing. Others are served meanwhile. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { openRawHttp } from "../support/raw_client.ts";
import { type Serve, startServe } from "../support/agent.ts";
import { FULL, record } from "../support/evidence/record.ts";
import { eventually } from "../support/eventually.ts";
import { startHaproxy } from "../support/haproxy.ts";

const HALF_OPEN = FULL ? 10_000 : 1_500;
const AT_ONCE = 8;
const SLOW = 200;
/** Beside what it has when nobody calls; MiB. */
const MORE_MEMORY = 400;

async function memoryOf(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", String(pid)] })
    .output();
  return Number(new TextDecoder().decode(stdout)) / 1024;
}

async function gauge({ url, token }: Serve, name: string): Promise<number> {
  const headers = { Authorization: `Bearer ${token}` };
  const text = await (await fetch(url.replace("/mcp", "/metrics"), { headers })).text();
  return Number(new RegExp(`^haproxy_mcp_${name} (.+)$`, "m").exec(text)?.[1]);
}

/** Calls of somebody else, one after the other, until the work is done: how many. */
async function servedDuring(agent: Serve, work: Promise<unknown>): Promise<number> {
  let over = false;
  const end = work.finally(() => over = true);
  let served = 0;
  const serving = (async () => {
    for (; !over; served++, await delay(20)) {
      await using client = await openRawHttp({ url: agent.url, token: agent.token, era: "2026" });
      const { result } = await client.ask("tools/call", {
        name: "haproxy_list_domains",
        arguments: {},
      });
      assert.ok(result.structuredContent);
    }
  })();
  await Promise.all([end, serving]);
  return served;
}

async function many(count: number, act: () => Promise<unknown>): Promise<void> {
  let left = count;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) await act();
  }));
}

/** @param hold does it `HALF_OPEN` times; what it resolves to is the number that the agent let in and keeps */
async function flood(
  what: string,
  most: number,
  hold: (agent: Serve) => Promise<number>,
  tried = HALF_OPEN,
) {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  await using agent = await startServe(haproxy, { env: { MCP_RATE: "0" } });
  const before = await memoryOf(agent.pid);
  let kept = Infinity;
  let served = 0;
  let memory = Infinity;
  try {
    served = await servedDuring(agent, hold(agent).then((count) => kept = count));
    memory = await memoryOf(agent.pid) - before;
  } finally {
    const escaped = Number(kept > most) + Number(memory > MORE_MEMORY) + Number(served === 0);
    record("Escapes", "through the front", {
      tried,
      denied: escaped ? 0 : tried,
      escaped,
    });
  }
  console.log(
    `${tried} ${what}: ${kept} kept, ${Math.round(memory)} MiB more, ${served} calls served`,
  );
  assert.ok(kept <= most, `${kept} kept`);
  assert.ok(memory <= MORE_MEMORY, `${memory} MiB more`);
  assert.ok(served > 0);
  assert.doesNotMatch(agent.log(), /INTERNAL|is lost/);
}

Deno.test(`${HALF_OPEN} sessions begun and never used: MCP_MAX_SESSIONS of them are kept, and others are served`, () =>
  flood("sessions", 1_000, async (agent) => {
    const { url, token } = agent;
    const headers = {
      Authorization: `Bearer ${token}`,
      Accept: "application/json, text/event-stream",
      "Content-Type": "application/json",
    };
    const params = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "half", version: "1" },
    };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    await many(HALF_OPEN, async () => {
      const answer = await fetch(url, { method: "POST", headers, body });
      await answer.body?.cancel();
      assert.equal(answer.status, 200);
    });
    return await gauge(agent, "sessions");
  }));

Deno.test(`${HALF_OPEN} connections that send nothing or half a head: others are served`, () =>
  flood("connections", 4_096, async (agent) => {
    const open: Deno.Conn[] = [];
    const half = new TextEncoder().encode("POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ");
    try {
      await many(HALF_OPEN, async () => {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port: agent.port });
        open.push(connection);
        if (open.length % 2) await connection.write(half).catch(() => {});
      });
      const kept = await gauge(agent, "connections");
      // They end after 10 s (tests/front/connections_test.ts).
      if (FULL) await eventually(async () => await gauge(agent, "connections") < 10, 20_000);
      return kept;
    } finally {
      for (const connection of open) connection.close();
    }
  }));

Deno.test("bodies that come a byte a second: 408 after 20 s, and others are served", {
  ignore: !FULL,
}, () =>
  flood("slow bodies", 0, async ({ port, token }) => {
    const head = [
      "POST /mcp HTTP/1.1",
      "Host: 127.0.0.1",
      `Authorization: Bearer ${token}`,
      "Accept: application/json, text/event-stream",
      "Content-Length: 1000",
    ].join("\r\n");
    const drip = async () => {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      const send = (text: string) => connection.write(new TextEncoder().encode(text));
      await send(`${head}\r\n\r\n`);
      const timer = setInterval(() => send(" ").catch(() => {}), 1_000);
      const buffer = new Uint8Array(64);
      const length = await connection.read(buffer).catch(() => null);
      clearInterval(timer);
      return new TextDecoder().decode(buffer.subarray(0, length ?? 0));
    };
    const answers = await Promise.all(Array.from({ length: SLOW }, drip));
    return answers.filter((answer) => !answer.startsWith("HTTP/1.1 408")).length;
  }, SLOW));
