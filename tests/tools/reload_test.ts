/** haproxy_reload. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { selfSignedPem } from "../../lib/init/self_signed.ts";
import { startBackend } from "../support/backend.ts";
import { HAPROXY_VERSIONS } from "../support/haproxy.ts";
import { freePort } from "../support/ports.ts";
import { openTools, snapshot } from "../support/tools.ts";
import { append } from "../support/edit_config.ts";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: reload starts a new worker that holds every domain and server, and reads haproxy.cfg`, async () => {
    await using one = startBackend("one");
    await using two = startBackend("two");
    await using rig = await openTools({ version });
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
    await rig.call("add_server", { domain: "a.test", ip: "127.0.0.1", http_port: two.port });
    await rig.call("set_server_state", { domain: "a.test", slot: 2, state: "drain" });
    await rig.call("set_server_weight", { domain: "a.test", slot: 1, weight: 77 });
    const before = await snapshot(rig.haproxy);
    const pid = await rig.haproxy.workerPid();
    await append(rig, "backend added\n    server s1 127.0.0.1:1\n");
    const messages: string[] = [];
    const { structured, text } = await rig.call("reload", {}, {
      onProgress: ({ message }) => messages.push(message!),
    });
    const { reloaded, way, worker_pid, duration_ms, restored } = structured;
    assert.deepEqual({ reloaded, way, restored }, {
      reloaded: true,
      way: "master",
      restored: { servers: 0, domains: 0, certificates: 0 },
    });
    // 3.4 has something to say of an ordinary user's configuration when root starts it.
    const warnings = structured.warnings as { message: string }[];
    for (const { message } of warnings) assert.match(message, /^HAProxy was started as /);
    assert.notEqual(worker_pid, pid);
    assert.equal(worker_pid, await rig.haproxy.workerPid());
    assert.ok(duration_ms as number > 0);
    assert.match(text, /^HAProxy was reloaded by its master CLI in \d+ ms: process \d+ serves/);
    assert.deepEqual(messages, ["checking haproxy.cfg", "reloading", "restored"]);
    const { ["conf/haproxy.cfg"]: _, ...after } = await snapshot(rig.haproxy);
    const { ["conf/haproxy.cfg"]: __, ...then } = before;
    assert.deepEqual(after, then);
    assert.equal((await rig.get("a.test")).body, "one\n");
    const backends = (await rig.call("backends")).structured.backends as { name: string }[];
    assert.ok(backends.some(({ name }) => name === "added"));
  });

  Deno.test(`${version}: a reload with a broken configuration names the line, and the old worker serves on`, async () => {
    await using one = startBackend("one");
    await using rig = await openTools({ version });
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: one.port });
    const pid = await rig.haproxy.workerPid();
    const line = await append(rig, "    bogus keyword\n");
    const before = await snapshot(rig.haproxy);
    const error = await rig.refused("reload");
    assert.equal(error.code, "CONFIG_INVALID");
    assert.ok(error.message.includes(`${rig.haproxy.configFile}:${line}: unknown keyword 'bogus'`));
    const [first] = error.details!.errors as { file: string; line: number }[];
    assert.deepEqual([first.file, first.line], [rig.haproxy.configFile, line]);
    assert.equal(await rig.haproxy.workerPid(), pid);
    assert.deepEqual(await snapshot(rig.haproxy), before);
    assert.equal((await rig.get("a.test")).body, "one\n");
    await rig.call("add_domain", { domain: "b.test", share_with: "a.test" });
    assert.equal((await rig.get("b.test")).body, "one\n");
  });

  // Without a line end 3.4's master does not survive a reload; an empty file leaves a worker that listens nowhere.
  Deno.test(`${version}: configurations that would end HAProxy are refused before it hears of them`, async () => {
    await using rig = await openTools({ version });
    const { configFile } = rig.haproxy;
    const good = await Deno.readTextFile(configFile);
    const pid = await rig.haproxy.workerPid();
    for (const bad of [`${good}backend cut "`, `${good}backend cut`, ""]) {
      await Deno.writeTextFile(configFile, bad);
      assert.equal((await rig.refused("reload")).code, "CONFIG_INVALID", bad.slice(-20));
    }
    await Deno.remove(configFile);
    assert.equal((await rig.refused("reload")).code, "CONFIG_INVALID");
    assert.equal(await rig.haproxy.workerPid(), pid);
    await Deno.writeTextFile(configFile, good);
    await rig.call("reload");
  });

  Deno.test(`${version}: what HAProxy does not read by itself is restored before the reload is answered`, async () => {
    await using rig = await openTools({ version });
    const { root, options: { map } } = rig.haproxy;
    await Deno.writeTextFile(join(root, "certs/new.test.pem"), await selfSignedPem(), {
      mode: 0o600,
    });
    await Deno.writeTextFile(join(root, "conf/certificates.json"), '{"domains": ["new.test"]}');
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
    // A map and a state file that somebody replaced: HAProxy starts with these.
    await Deno.writeTextFile(join(root, "conf/servers.state"), "1\n");
    const { structured } = await rig.call("reload");
    assert.deepEqual(structured.restored, { servers: 0, domains: 0, certificates: 1 });
    assert.match(await rig.haproxy.runtime("show ssl cert"), /\/new\.test\.pem$/m);
    assert.match(await rig.haproxy.runtime(`show map ${map}`), / a\.test pool_1$/m);
    const { components } = (await rig.call("health")).structured as {
      components: Record<string, { status: string }>;
    };
    assert.equal(components.sync.status, "ok");
  });

  Deno.test(`${version}: changes that come during reloads are neither lost nor half`, async () => {
    await using one = startBackend("one");
    await using rig = await openTools({ version, pools: 40 });
    const adds = Array.from(
      { length: 30 },
      (_, i) =>
        rig.call("add_domain", { domain: `d${i}.test`, ip: "127.0.0.1", http_port: one.port }),
    );
    const reloads = (async () => {
      for (let i = 0; i < 3; i++) await rig.call("reload");
    })();
    await Promise.all([...adds, reloads]);
    for (let i = 0; i < 30; i++) assert.equal((await rig.get(`d${i}.test`)).body, "one\n");
    const { structured } = await rig.call("restore_state");
    assert.equal(structured.changed_count, 0);
  });
}

Deno.test("a dry run of reload checks, says how, and changes nothing", async () => {
  await using rig = await openTools();
  const pid = await rig.haproxy.workerPid();
  const { structured, text } = await rig.call("reload", { dry_run: true });
  assert.equal(structured.reloaded, false);
  assert.equal(structured.way, "master");
  assert.match(
    text,
    /^Dry run, nothing was changed\. The configuration is valid\. .*master CLI\.$/,
  );
  assert.equal(await rig.haproxy.workerPid(), pid);
  await append(rig, "bogus\n");
  assert.equal((await rig.refused("reload", { dry_run: true })).code, "CONFIG_INVALID");
});

Deno.test("where nobody can check haproxy.cfg, a reload wants to be confirmed, and HAProxy's answer is the check", async () => {
  await using rig = await openTools({ host: { binary: "/nowhere/haproxy" } });
  const check = await rig.refused("check_config");
  assert.equal(check.code, "UNSUPPORTED");
  assert.match(check.message, /HAPROXY_BINARY=\/nowhere\/haproxy/);
  const error = await rig.refused("reload");
  assert.equal(error.code, "CONFIRMATION_NEEDED");
  assert.match(error.hint!, /HAPROXY_BINARY/);
  const { structured } = await rig.call("reload", { confirm: true });
  assert.equal(structured.reloaded, true);
  const line = await append(rig, "    bogus\n");
  const invalid = await rig.refused("reload", { confirm: true });
  assert.equal(invalid.code, "CONFIG_INVALID");
  assert.ok(invalid.message.includes(`:${line}: unknown keyword 'bogus'`), invalid.message);
  assert.equal(structured.worker_pid, await rig.haproxy.workerPid());
});

Deno.test("with MCP_CONFIRM=off nobody is asked, and what would end HAProxy is refused without its parser", async () => {
  await using rig = await openTools({ confirm: "off", host: { binary: "/nowhere/haproxy" } });
  const { configFile } = rig.haproxy;
  assert.equal((await rig.call("reload")).structured.reloaded, true);
  const good = await Deno.readTextFile(configFile);
  const pid = await rig.haproxy.workerPid();
  for (const [text, flaw] of [["# nothing\n", "it is empty"], [`${good}#`, "no line end"]]) {
    await Deno.writeTextFile(configFile, text);
    const error = await rig.refused("reload");
    assert.equal(error.code, "CONFIG_INVALID");
    assert.ok(error.message.includes(flaw), error.message);
  }
  await Deno.remove(configFile);
  assert.match((await rig.refused("reload")).message, /there is no such file/);
  assert.equal(await rig.haproxy.workerPid(), pid);
});

Deno.test("while a reload is under way reads are answered, a caller may give up, and changes come after it", async () => {
  await using rig = await openTools({ heal: false });
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: may, resolve: go } = Promise.withResolvers<void>();
  const never = new AbortController().signal;
  const reload = rig.context.transactions.reload(async () => {
    begin();
    await may;
    await rig.haproxy.reload();
  }, never);
  await begun;
  assert.equal((await rig.call("list_domains")).structured.count, 1);
  assert.equal((await rig.call("domain_health", { domain: "a.test" })).structured.routed, true);
  const impatient = AbortSignal.timeout(50);
  const given = await rig.refused("add_domain", { domain: "b.test" }, { signal: impatient });
  assert.equal(given.code, "TIMEOUT");
  for (const tool of ["restore_state", "save_state", "reload"]) {
    const signal = AbortSignal.timeout(50);
    assert.equal((await rig.refused(tool, {}, { signal })).code, "TIMEOUT", tool);
  }
  const change = rig.call("add_domain", { domain: "c.test" });
  go();
  assert.equal((await reload).replaced, true);
  await change;
  const { domains } = (await rig.call("list_domains")).structured as { domains: Domain[] };
  assert.deepEqual(domains.map(({ domain }) => domain), ["a.test", "c.test"]);
});
type Domain = { domain: string };

Deno.test("who gives up after the order learns that the reload goes on, and it ends as any other", async () => {
  await using rig = await openTools({ heal: false });
  await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
  const pid = await rig.haproxy.workerPid();
  const controller = new AbortController();
  const { promise: may, resolve: go } = Promise.withResolvers<void>();
  const reload = rig.context.transactions.reload(async () => {
    controller.abort(new DOMException("gone", "AbortError"));
    await may;
    await rig.haproxy.reload();
  }, controller.signal);
  await assert.rejects(reload, { code: "OUTCOME_UNKNOWN" });
  go();
  await rig.call("add_domain", { domain: "b.test" });
  assert.notEqual(await rig.haproxy.workerPid(), pid);
});

Deno.test("a reload after which nothing answers is told as such, and not as a HAProxy to be started", async () => {
  await using rig = await openTools({ heal: false });
  const never = new AbortController().signal;
  await rig.haproxy.stop();
  const { replaced, process } = await rig.context.transactions.reload(
    () => Promise.resolve(),
    never,
  );
  assert.deepEqual([replaced, process], [false, undefined]);
  assert.equal((await rig.refused("reload")).code, "HAPROXY_UNREACHABLE");
});

Deno.test("a new worker that can't start is RELOAD_FAILED with HAProxy's words, and the old one serves on", async () => {
  await using rig = await openTools();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: freePort() });
  const pid = await rig.haproxy.workerPid();
  await append(rig, `frontend f\n    mode http\n    bind 127.0.0.1:${taken.addr.port}\n`);
  const error = await rig.refused("reload");
  assert.equal(error.code, "RELOAD_FAILED");
  assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${taken.addr.port}`));
  assert.equal(await rig.haproxy.workerPid(), pid);
});

for (const version of HAPROXY_VERSIONS) {
  Deno.test({
    name:
      `${version}: an old worker that its master can't end is RELOAD_FAILED, as it serves on beside the new one`,
    ignore: Deno.uid() !== 0,
    async fn() {
      await using rig = await openTools({
        version,
        heal: false,
        account: { user: "nobody", group: "nogroup" },
        wrapper: ["setpriv", "--bounding-set=-kill"],
      });
      try {
        const old = await rig.haproxy.workerPid();
        const error = await rig.refused("reload");
        assert.equal(error.code, "RELOAD_FAILED");
        assert.match(error.message, new RegExp(`so does the old one \\(${old}\\)`));
        assert.match(error.hint!, /CAP_KILL/);
      } finally {
        // Its SIGTERM would not reach them either.
        await rig.haproxy.kill9();
      }
    },
  });
}

Deno.test("reload answers UNSUPPORTED where no way works, and says why each does not", async () => {
  await using rig = await openTools({ host: { master: "127.0.0.1:1" } });
  for (const args of [{}, { dry_run: true }]) {
    const error = await rig.refused("reload", args);
    assert.equal(error.code, "UNSUPPORTED");
    for (const way of ["master", "podman", "systemd"]) assert.ok(error.message.includes(way));
  }
});
