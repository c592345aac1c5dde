/** Reload by the master CLI of the real HAProxy. */
import assert from "node:assert/strict";
import { programActs } from "../../../lib/supervisor/host/mod.ts";
import { HAPROXY_VERSIONS, haproxyBinary, startHaproxy } from "../../support/haproxy.ts";
import { parseProcesses, untilReplaced } from "../../support/haproxy_cli.ts";
import { call, haproxyConfig, hostSettings, makeFolder, startMaster } from "./fixtures.ts";

const acts = (root: string, env: Record<string, string> = {}) =>
  programActs(hostSettings(root, env), { PATH: "" });

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`reload by the master CLI answers once another worker serves: ${version}`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const worker = await haproxy.workerPid();
    const { reload } = acts(haproxy.root, { HAPROXY_MASTER: haproxy.masterAddress });
    const order = await reload(undefined, call);
    assert.deepEqual([order.way, order.confirmed, order.lingering], ["master", true, []]);
    const { current } = parseProcesses(await haproxy.master("show proc"));
    assert.ok(current.length === 1 && current[0] !== worker);
    // The one that leaves may still take a connection of the socket that both have.
    assert.ok(await untilReplaced(haproxy.runtime, worker, 10_000));
  });

  Deno.test(`reload answers CONFIG_INVALID with each line, and the old worker serves on: ${version}`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const worker = await haproxy.workerPid();
    const config = await Deno.readTextFile(haproxy.configFile);
    const line = config.split("\n").length;
    await Deno.writeTextFile(haproxy.configFile, `${config}backend x\n  bogus\n  bogus2\n`);
    const { reload, checkConfig } = acts(haproxy.root, {
      HAPROXY_MASTER: haproxy.masterAddress,
      HAPROXY_BINARY: haproxyBinary(version),
    });
    const error = (name: string, line: number) => ({
      file: haproxy.configFile,
      line,
      message: `unknown keyword '${name}' in 'backend' section`,
    });
    const errors = [error("bogus", line + 1), error("bogus2", line + 2)];
    await assert.rejects(reload(undefined, call), (cause: Error & Record<string, unknown>) => {
      assert.equal(cause.code, "CONFIG_INVALID");
      assert.equal(
        cause.message,
        `HAProxy refuses its configuration: ${haproxy.configFile}:${line + 1}: unknown keyword ` +
          "'bogus' in 'backend' section (and 1 more)",
      );
      assert.deepEqual((cause.details as { errors: unknown }).errors, errors);
      return true;
    });
    assert.equal(await haproxy.workerPid(), worker);
    const { valid, by, errors: found } = await checkConfig(undefined, call);
    assert.deepEqual([valid, by, found], [false, "binary", errors]);
  });

  Deno.test(`reload answers RELOAD_FAILED for a port that somebody else has: ${version}`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const worker = await haproxy.workerPid();
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    await Deno.writeTextFile(
      haproxy.configFile,
      `frontend taken\n  mode tcp\n  bind 127.0.0.1:${port}\n`,
      { append: true },
    );
    const { reload } = acts(haproxy.root, { HAPROXY_MASTER: haproxy.masterAddress });
    await assert.rejects(reload(undefined, call), {
      code: "RELOAD_FAILED",
      message: /cannot bind socket \(Address already in use\)/,
    });
    taken.close();
    assert.equal(await haproxy.workerPid(), worker);
  });

  Deno.test(`the master CLI that init suggests is found by itself, also while HAProxy starts: ${version}`, async () => {
    await using master = await startMaster(version, haproxyConfig());
    // The socket is there before the master answers.
    while (await Deno.lstat(master.socket).then(() => false, () => true)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const { reload, hostStatus } = acts(master.folder.path);
    const { way, confirmed, warnings } = await reload(undefined, call);
    assert.deepEqual({ way, confirmed, warnings }, {
      way: "master",
      confirmed: true,
      warnings: [],
    });
    const status = await hostStatus(undefined, call);
    assert.equal(status.reload.way, "master");
    assert.deepEqual(status.reload.tried[0], { way: "master" });
  });

  Deno.test(`a reload waits for another: ${version}`, async () => {
    await using haproxy = await startHaproxy({ version, pools: 1, slots: 1 });
    const { reload } = acts(haproxy.root, { HAPROXY_MASTER: haproxy.masterAddress });
    const orders = await Promise.all([1, 2, 3].map(() => reload(undefined, call)));
    assert.deepEqual(orders.map(({ confirmed }) => confirmed), [true, true, true]);
  });

  Deno.test(`reload answers what HAProxy warns of: ${version}`, async () => {
    await using master = await startMaster(version, haproxyConfig());
    const { reload } = acts(master.folder.path, { HAPROXY_MASTER: master.socket });
    const config = (await Deno.readTextFile(master.configFile)).replace(/ +timeout client.*\n/, "");
    await Deno.writeTextFile(master.configFile, config);
    const { warnings } = await reload(undefined, call);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0].message, /^missing timeouts for frontend 'f'\. While .*'server'\.$/);
  });
}

Deno.test("reload answers RELOAD_FAILED where the master itself ends: 3.4 on a quote that nothing closes", async () => {
  await using master = await startMaster("3.4", haproxyConfig());
  const { reload } = acts(master.folder.path, { HAPROXY_MASTER: master.socket });
  await reload(undefined, call);
  await Deno.writeTextFile(master.configFile, 'backend cut "\n', { append: true });
  await assert.rejects(reload(undefined, call), {
    code: "RELOAD_FAILED",
    message: /^HAProxy's master ended on the reload: /,
    hint: /^Start HAProxy\. .*haproxy_check_config finds those\. .*doctor finds that\.$/,
  });
  assert.notEqual((await master.ended).code, 0);
});

Deno.test("reload does not order what would end HAProxy and is seen at once", async () => {
  await using master = await startMaster("3.4", haproxyConfig());
  const { reload } = acts(master.folder.path, { HAPROXY_MASTER: master.socket });
  const good = await Deno.readTextFile(master.configFile);
  for (
    const [text, flaw] of [
      ["", "it is empty"],
      ["\n # nothing\n", "it is empty"],
      [`${good}#`, "its last line has no line end"],
    ]
  ) {
    await Deno.writeTextFile(master.configFile, text);
    await assert.rejects(reload(undefined, call), {
      code: "CONFIG_INVALID",
      message: `${master.configFile} can't be used: ${flaw}.`,
    });
  }
  await Deno.remove(master.configFile);
  await assert.rejects(reload(undefined, call), { message: /there is no such file/ });
  await Deno.writeTextFile(master.configFile, good);
  await reload(undefined, call);
});

Deno.test("another service than HAProxy's master is no way to a reload", async () => {
  await using haproxy = await startHaproxy({ pools: 1, slots: 1 });
  await using folder = await makeFolder();
  const { address, port } = haproxy.options.api;
  const HAPROXY_MASTER = `${address}:${port}`;
  const { reload } = acts(folder.path, { HAPROXY_MASTER, HAPROXY_RELOAD: "master" });
  await assert.rejects(reload(undefined, call), {
    code: "UNSUPPORTED",
    message: new RegExp(`${HAPROXY_MASTER} answers, but is not HAProxy's master CLI`),
  });
});
