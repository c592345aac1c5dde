import assert from "node:assert/strict";
import { connect } from "../../lib/rpc/mod.ts";
import { readSettings } from "../../lib/config.ts";
import { keeperActs } from "../../lib/supervisor/host/mod.ts";
import { openToolsRoom, type ToolsRoom } from "../../tools/room.ts";
import { makeRoot } from "../support/rooms/agent.ts";

const acts = (current: number, ended: string[] = []) =>
  keeperActs({ currentRoom: () => current, endProcess: (why) => ended.push(why) });

Deno.test("predecessorHoldsLock ends the process", async () => {
  const ended: string[] = [];
  await acts(2, ended).predecessorHoldsLock({ room: 2 });
  assert.deepEqual(ended, ["tools room 2 waits for the lock of one that was terminated"]);
});

Deno.test("predecessorHoldsLock refuses a room that is not the current one, or the first", () => {
  for (const [current, room] of [[3, 2], [1, 1], [2, NaN], [2, "2"]]) {
    const ended: string[] = [];
    const claim = { room: room as number };
    assert.throws(() => acts(current as number, ended).predecessorHoldsLock(claim), {
      code: "VALIDATION",
    });
    assert.deepEqual(ended, []);
  }
});

Deno.test("the tools room: a lock that this process's earlier room holds ends the process", async () => {
  const root = await makeRoot();
  const { files, haproxy, confirm, logging, acme, host } = readSettings({ HAPROXY_ROOT: root });
  const lock = await Deno.open(files.lock, { write: true, create: true });
  await lock.lock(true);
  await lock.write(new TextEncoder().encode(`${JSON.stringify({ pid: Deno.pid, room: 1 })}\n`));
  const { port1, port2 } = new MessageChannel();
  const calls = new MessageChannel();
  const ended: string[] = [];
  try {
    openToolsRoom(port2, []);
    const room = connect<ToolsRoom>(port1, acts(2, ended));
    const settings = {
      files,
      haproxy,
      confirm,
      logging,
      configFile: host.configFile,
      room: 2,
      pid: Deno.pid,
    };
    const start = {
      settings: { ...settings, heal: false, readOnly: false, acme, renew: false },
      port: calls.port2,
    };
    await assert.rejects(room.call("start", start, { transfer: [calls.port2] }), {
      code: "TIMEOUT",
    });
    assert.equal(ended.length, 1);
  } finally {
    lock.close();
    for (const port of [port1, port2, calls.port1]) port.close();
    await Deno.remove(root, { recursive: true });
  }
});
