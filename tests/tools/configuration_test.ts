/** haproxy_check_config, and what both tools of this group refuse. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { makeFolder } from "../supervisor/host/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { HAPROXY_VERSIONS, haproxyBinary } from "../support/haproxy.ts";
import { openPki } from "../support/pki.ts";
import { openTools } from "../support/tools.ts";
import { append } from "../support/edit_config.ts";

for (const version of HAPROXY_VERSIONS) {
  Deno.test(`${version}: check_config names the file and the line of each error, and changes nothing`, async () => {
    await using rig = await openTools({ version });
    const file = rig.haproxy.configFile;
    const good = await rig.call("check_config");
    assert.equal(good.structured.valid, true);
    assert.deepEqual(good.structured.errors, []);
    assert.equal(good.structured.checked_by, "binary");
    const pid = await rig.haproxy.workerPid();

    const line = await append(rig, "backend bad\n    bogus\n    server s1 nowhere:port\n");
    const { structured, text } = await rig.call("check_config");
    assert.equal(structured.valid, false);
    const [first, ...more] = structured.errors as { file: string; line: number; message: string }[];
    assert.deepEqual([first.file, first.line], [file, line + 1]);
    assert.match(first.message, /unknown keyword 'bogus' in 'backend' section/);
    assert.ok(more.some((each) => each.line === line + 2));
    assert.match(text, /^The configuration is broken: \d errors\.\nerror +\//);
    assert.equal(await rig.haproxy.workerPid(), pid);
  });

  Deno.test(`${version}: check_config answers warnings of a valid file, but not the servers' states`, async () => {
    await using rig = await openTools({ version });
    await rig.call("add_domain", { domain: "a.test", ip: "127.0.0.1", http_port: 9 });
    assert.deepEqual((await rig.call("check_config")).structured.warnings, []);
    const again = await append(rig, "global\n    maxconn 10\n    maxconn 20\n");
    const ignored = (await rig.call("check_config")).structured.warnings as { line: number }[];
    assert.deepEqual(ignored.map(({ line }) => line), [again + 2], "the second one does not hold");
    const line = await append(
      rig,
      "frontend f\n    mode http\n    use_backend pool_1\n    http-request deny\n",
    );
    const { structured } = await rig.call("check_config");
    assert.equal(structured.valid, true);
    const [_, warning] = structured.warnings as { line: number; message: string }[];
    assert.ok(warning.line >= line && warning.message.length > 10, JSON.stringify(warning));
  });
}

Deno.test("a certificate that is gone for the length of a change does not make the configuration a broken one", async () => {
  await using folder = await makeFolder();
  await using pki = await openPki();
  const ended = join(folder.path, "ended");
  const binary = await folder.program(
    "haproxy",
    `${haproxyBinary("3.2")} "$@"; code=$?; echo >>${ended}; exit $code`,
  );
  await using rig = await openTools({ version: "3.2", host: { binary } });
  const file = join(rig.haproxy.root, "certs/c.test.pem");
  const { pem } = await pki.issue(["c.test"]);
  await Deno.writeTextFile(file, pem, { mode: 0o600 });
  await rig.call("load_cert", { domain: "c.test" });
  for (const ask of [() => rig.call("check_config"), () => rig.call("reload", { dry_run: true })]) {
    await Deno.remove(ended).catch(() => {});
    const { asked } = await rig.context.transactions.whileHeld(async () => {
      await Deno.rename(file, `${file}~`);
      const asked = ask();
      await eventually(() => Deno.stat(ended).then(() => true, () => false));
      // A second check that does not wait for the change would end in this time.
      await delay(500);
      await Deno.rename(`${file}~`, file);
      return { asked };
    }, new AbortController().signal);
    assert.match((await asked).text, /The configuration is valid\./);
    assert.equal((await Deno.stat(ended)).size, 2);
  }
});

Deno.test("another program than HAProxy does not check anything", async () => {
  for (const binary of ["/bin/true", "/bin/false", "/bin/ls"]) {
    await using rig = await openTools({ host: { binary } });
    const error = await rig.refused("check_config");
    assert.equal(error.code, "UNSUPPORTED");
    assert.ok(error.message.includes(`${binary} does not answer as HAProxy does`));
  }
});

Deno.test("check_config and reload refuse parameters that they do not have", async () => {
  await using rig = await openTools();
  assert.equal((await rig.refused("check_config", { file: "/etc/passwd" })).code, "VALIDATION");
  assert.equal((await rig.refused("reload", { way: "master" })).code, "VALIDATION");
  assert.equal((await rig.refused("reload", { confirm: "yes" })).code, "VALIDATION");
});

Deno.test("a read-only agent checks, but neither reloads nor restores", async () => {
  await using rig = await openTools({ readOnly: true });
  await rig.call("check_config");
  for (const name of ["reload", "save_state", "restore_state"]) {
    assert.equal((await rig.refused(name)).code, "REFUSED");
  }
});
