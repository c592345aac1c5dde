/** HAProxy comes up right from its files alone: after kill -9, after SIGUSR2, and in its chroot. */
import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { withNoreuseport } from "../support/edit_config.ts";
import { type Haproxy, HAPROXY_VERSIONS, startHaproxy } from "../support/haproxy.ts";
import { request } from "../support/request.ts";
import { chooseAccount } from "../../lib/init/host.ts";
import { serverState } from "./fixtures.ts";

const isRoot = Deno.uid() === 0;

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`weights, drains, maints and addresses outlive kill -9 and SIGUSR2: ${version}`, async () => {
    await using one = startBackend("one");
    await using two = startBackend("two", { hostname: "::1" });
    await using haproxy = await startHaproxy({
      version,
      pools: 2,
      slots: 5,
      domains: "example.com pool_1\nsix.example.com pool_2\n",
      state: serverState([
        { pool: 1, slot: 1, server: one, weight: 37 },
        { pool: 1, slot: 2, server: two, weight: 0 },
        { pool: 1, slot: 3, server: one, state: "drain" },
        { pool: 1, slot: 4, server: one, state: "maint" },
        { pool: 2, slot: 5, server: two, weight: 256 },
      ]),
    });
    const expected = {
      "pool_1/pool_1_1": `127.0.0.1:${one.port} 4 37`,
      "pool_1/pool_1_2": `::1:${two.port} 4 0`,
      "pool_1/pool_1_3": `127.0.0.1:${one.port} 12 1`,
      "pool_1/pool_1_4": `127.0.0.1:${one.port} 5 1`,
      "pool_2/pool_2_5": `::1:${two.port} 4 256`,
    };
    const asWritten = async (moment: string) => {
      assert.deepEqual(await takenSlots(haproxy), expected, moment);
      assert.equal(await get(haproxy, "example.com"), "200 one\n", moment);
      assert.equal(await get(haproxy, "six.example.com"), "200 two\n", moment);
    };
    await asWritten("after the first start");
    const [master, worker] = [haproxy.masterPid, await haproxy.workerPid()];
    await haproxy.kill9();
    await haproxy.start();
    assert.notEqual(haproxy.masterPid, master);
    await asWritten("after kill -9");
    await haproxy.reload();
    assert.notEqual(await haproxy.workerPid(), worker);
    await asWritten("after SIGUSR2");
  });

  Deno.test(`a reload reads the map and the state file again: ${version}`, async () => {
    await using one = startBackend("one");
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    assert.match(await get(haproxy, "example.com"), /^404/);
    await Deno.writeTextFile(haproxy.options.map, "example.com pool_1\n");
    await Deno.writeTextFile(
      haproxy.options.serverState,
      serverState([{ pool: 1, slot: 1, server: one }]),
    );
    await haproxy.reload();
    assert.equal(await get(haproxy, "example.com"), "200 one\n");
  });

  Deno.test({
    name:
      `started by root, workers serve as another user in an empty folder, reloads too: ${version}`,
    ignore: !isRoot,
    async fn() {
      await using one = startBackend("one");
      const account = chooseAccount(
        await Deno.readTextFile("/etc/passwd"),
        await Deno.readTextFile("/etc/group"),
      );
      await using haproxy = await startHaproxy({
        version,
        pools: 1,
        slots: 1,
        account,
        domains: "example.com pool_1\n",
        state: serverState([{ pool: 1, slot: 1, server: one }]),
      });
      for (const moment of ["start", "reload"]) {
        if (moment === "reload") await haproxy.reload();
        const worker = await processOf(await haproxy.workerPid());
        assert.equal(worker.chroot, `${haproxy.root}/run/chroot`, moment);
        assert.notEqual(worker.uid, 0, moment);
        assert.equal(await get(haproxy, "example.com"), "200 one\n", moment);
      }
      assert.doesNotMatch(await haproxy.logs(), /chroot|privileges|as root/);
    },
  });

  Deno.test(`starts where the system allows too few open files for all checks: ${version}`, async () => {
    await using haproxy = await startHaproxy({ version, maxOpenFiles: 1024 });
    assert.match(await get(haproxy, "example.com"), /^404/);
    assert.match(await haproxy.runtime("show info"), /^Ulimit-n: 1024$/m);
  });

  Deno.test(`a second HAProxy on the same ports does not start: ${version}`, async () => {
    const options = { version, pools: 1, edit: withNoreuseport };
    await using first = await startHaproxy(options);
    const { httpPort, httpsPort, api } = first.options;
    await assert.rejects(
      startHaproxy({ ...options, httpPort, httpsPort, api }),
      /ports/,
    );
    assert.match(await get(first, "example.com"), /^404/);
  });
}

/** `address:port admin_state weight` of every slot that holds a server. */
async function takenSlots(haproxy: Haproxy): Promise<Record<string, string>> {
  const state = await haproxy.runtime("show servers state");
  const rows = state.split("\n").map((line) => line.split(" ")).filter((row) => row.length > 20);
  const taken = rows.filter(([id, , , , , , admin]) => id !== "#" && admin !== "5");
  // A slot in maint reads like a free one but for its address.
  const maint = rows.filter((row) => row[6] === "5" && row[18] !== "1");
  return Object.fromEntries(
    [...taken, ...maint].map((row) => [
      `${row[1]}/${row[3]}`,
      `${row[4]}:${row[18]} ${row[6]} ${row[7]}`,
    ]),
  );
}

async function get(haproxy: Haproxy, host: string): Promise<string> {
  const { status, body } = await request({ port: haproxy.options.httpPort, host });
  return `${status} ${body}`;
}

async function processOf(pid: number): Promise<{ readonly uid: number; readonly chroot: string }> {
  const script =
    'sed -n "s/^Uid:\\t\\([0-9]*\\).*/\\1/p" "/proc/$0/status"; readlink "/proc/$0/root"';
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script, String(pid)] }).output();
  const [uid, chroot] = new TextDecoder().decode(stdout).trim().split("\n");
  return { uid: Number(uid), chroot };
}
