/** install.sh as root on a machine of its own (tests/support/machine): what it makes there works, and nothing more is allowed. */
import assert from "node:assert/strict";
import type { BesideReport, FaultsReport } from "../support/install_faults_process.ts";
import type { InstallReport, TakeOverReport } from "../support/install_process.ts";
import { namespaceProblem, runInNamespace } from "../support/namespace.ts";
import { UNIT } from "../takeover/original.ts";

const problem = await namespaceProblem();
const report = async (what: "install" | "takeover") =>
  JSON.parse(
    await runInNamespace(new URL("../support/install_process.ts", import.meta.url), [what]),
  );
const faultsReport = async (what: "faults" | "beside") =>
  JSON.parse(
    await runInNamespace(new URL("../support/install_faults_process.ts", import.meta.url), [what]),
  );

Deno.test({
  name: "install.sh --haproxy: ready, a domain served, then all of it again, and away",
  ignore: problem !== undefined,
  async fn(t) {
    const { installed, agent, shell, restored, reload, again, uninstalled }: InstallReport =
      await report(
        "install",
      );

    await t.step(
      "HAProxy and agent run by their units, and a domain added by the shell is served",
      () => {
        assert.deepEqual(installed, { ready: true, served: "one\n" });
      },
    );
    await t.step("the agent is a user of its own without any capability", () => {
      assert.equal(agent.user, "haproxy-mcp");
      assert.match(agent.capabilities, /^0+$/);
    });
    await t.step(
      "its user can't put anything in the place of haproxy.cfg, the units and their settings",
      () => {
        assert.deepEqual(agent.forbidden, agent.tried);
      },
    );
    await t.step(
      "root's shell has the unit's settings, and leaves nothing that the agent could not write",
      () => {
        assert.equal(shell.readOnly, "REFUSED");
        assert.equal(shell.who, "haproxy-mcp");
        assert.deepEqual(shell.owners, ["haproxy-mcp:haproxy-mcp", "haproxy-mcp:haproxy-mcp"]);
      },
    );
    await t.step(
      "root restores what is its own too, but not from an archive of the agent's",
      () => {
        assert.deepEqual(restored.domains, ["a.test later.test", "a.test", "a.test later.test"]);
        assert.deepEqual(restored.settings, ["1", "0", "0"]);
        assert.deepEqual(restored.owners, ["root", "haproxy-mcp", "haproxy-mcp"]);
        assert.deepEqual(restored.kept, [
          "conf/haproxy-mcp.env: the archive is the agent's, which may not write it",
        ]);
      },
    );
    await t.step("doctor finds nothing wrong with what was installed", () => {
      assert.deepEqual(shell.doctor, []);
    });
    await t.step(
      "it reloads HAProxy, which is root's, over the socket that the drop-in made",
      () => {
        assert.deepEqual(reload, { way: "master", served: "one\n" });
      },
    );
    await t.step("install.sh a second time lets the agent run on", () => {
      assert.deepEqual(again, { samePid: true });
    });
    await t.step("--uninstall ends the agent alone: HAProxy serves on, the files stay", () => {
      assert.deepEqual([uninstalled.agentRuns, uninstalled.served], [false, "one\n"]);
      assert.match(uninstalled.kept, /^a\.test pool_1$/m);
    });
  },
});

Deno.test({
  name: "install.sh on a machine with the original: its unit goes, and all that it had is there",
  ignore: problem !== undefined,
  async fn() {
    const { domains, servers, settings, systemctl, originalUnit, originalProgram }: TakeOverReport =
      await report("takeover");
    assert.deepEqual(domains, [
      "a.test pool_1",
      "*.a.test pool_1",
      "b.test pool_1",
      "c.test pool_2",
      "*.c.test pool_2",
      "d.test pool_3",
      "*.d.test pool_3",
    ]);
    assert.deepEqual(servers, [
      "pool_1_1 10.0.0.1:80",
      "pool_1_2 10.0.0.1:80",
      "pool_2_1 10.0.0.2:80",
      "pool_3_3 10.0.0.3:80",
    ]);
    assert.deepEqual(settings.toSorted(), [
      "CF_Token=secret-of-cloudflare",
      "LOG_LEVEL=DEBUG",
      "MCP_PORT=8010",
    ]);
    assert.deepEqual(systemctl, [
      "stop haproxy-mcp.service",
      "disable haproxy-mcp.service",
      "daemon-reload",
      "enable haproxy-mcp.service",
      "restart haproxy-mcp.service",
    ]);
    assert.equal(originalUnit, UNIT);
    assert.match(originalProgram, /^#!\/usr\/bin\/python3\n/);
  },
});

Deno.test({
  name: "install.sh where something fails, or the agent's user has been taken over",
  ignore: problem !== undefined,
  async fn(t) {
    const faults: FaultsReport = await faultsReport("faults");

    await t.step("without a HAProxy it says so", () => {
      assert.match(
        faults.withoutHaproxy,
        /^install\.sh: HAProxy 3\.0 or newer is needed, and .* nothing/,
      );
    });
    await t.step(
      "where an ordinary user's HAProxy runs, the folder of its sockets stays its own, and its group reads the keys",
      () => {
        const { before, after } = faults.besideUsersHaproxy;
        assert.deepEqual(before, [
          ". 755 65534:65534",
          "run 700 65534:65534",
          "certs 755 65534:65534",
        ]);
        const agent = after.at(-1);
        assert.deepEqual(after.slice(0, -1), [
          ...before.slice(0, 2),
          `certs 2750 ${agent}:65534`,
          `certs/default.pem 640 ${agent}:65534`,
        ]);
      },
    );
    await t.step(
      "the agent runs though HAProxy's restart fails, which the next run does again",
      () => {
        const { code, first, second, ready } = faults.halfway;
        assert.equal(code, 1);
        assert.deepEqual(first, [
          "daemon-reload",
          "enable haproxy-mcp.service",
          "restart haproxy-mcp.service",
          "enable haproxy.service",
          "restart haproxy.service",
        ]);
        assert.deepEqual(second, [
          "daemon-reload",
          "enable haproxy-mcp.service",
          "start haproxy-mcp.service",
          "enable haproxy.service",
          "restart haproxy.service",
        ]);
        assert.ok(ready);
      },
    );
    await t.step("what a run has put that failed then, the next one restarts the agent for", () => {
      assert.ok(faults.agentRestarted);
    });
    await t.step(
      "in conf/ the agent has its own files and no others; what init makes anew is the agent's",
      () => {
        assert.deepEqual(faults.owners, {
          "conf/filter.lua": "root:root",
          "conf/own/more.lua": "root:root",
          "conf/haproxy.cfg": "root:root",
          "conf/domains.map": "haproxy-mcp:haproxy-mcp",
          "conf/servers.state": "haproxy-mcp:haproxy-mcp",
          "certs/default.pem": "haproxy-mcp:nogroup",
          "systemd/haproxy-mcp.service": "root:root",
        });
      },
    );
    await t.step("a link of the agent's user ends it before root's file is read or changed", () => {
      for (const { refused, seen } of faults.links) {
        assert.match(refused, /^1 .*symlink.*\n.*init did not do it/);
        assert.equal(seen, "600 root");
      }
      assert.equal(faults.links.length, 3);
    });
  },
});

Deno.test({
  name:
    "install.sh beside a HAProxy with a configuration of its own: with what it said was lacking, all works",
  ignore: problem !== undefined,
  async fn() {
    const { lacks, written, ready, served, checked, reloadWay }: BesideReport = await faultsReport(
      "beside",
    );
    const wanted = [/stats socket/, /map_str/, /backend pool_N/, /server-state-file/, /maxconn/];
    assert.equal(lacks.length, wanted.length, lacks.join("\n"));
    for (const [index, words] of wanted.entries()) assert.match(lacks[index], words);
    assert.equal(written, false, "a haproxy.cfg that nobody reads");
    assert.ok(ready);
    assert.deepEqual(served, { own: "own", agents: "one\n" });
    assert.ok(checked);
    assert.equal(reloadWay, "master");
  },
});
