/** Restores that are not made, and those without HAProxy. */
import assert from "node:assert/strict";
import { startBackend } from "../support/backend.ts";
import { openPki } from "../support/pki.ts";
import { openTools } from "../support/tools.ts";
import { bytes, filesOf, ordersOf, withFiles } from "./orders.ts";
import { at, openSite } from "./site.ts";

Deno.test("a restore is refused with file and line where it does not fit, and nothing is changed", async () => {
  await using pki = await openPki();
  await using rig = await openSite();
  const orders = ordersOf(rig);
  const { content } = await orders.backup(true);
  await rig.call("remove_domain", { domain: "b.test" });
  const { pem } = await pki.issue(["x.test"]);
  const [other] = /-----BEGIN CERTIFICATE-----[^]*$/.exec((await pki.issue(["y.test"])).pem)!;
  const [key] = /^-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?-----END [A-Z ]*KEY-----\n/m.exec(pem)!;
  const put = (name: string, content: string) => (files: Map<string, Uint8Array>) =>
    void files.set(name, bytes(content));
  const listed = `${at(rig, "certs/default.pem")}\n${at(rig, "certs/x.test.pem")}\n`;
  const before = { ...await rig.snapshot(), ...await filesOf(rig.haproxy.root) };
  for (
    const [change, code, words] of [
      [
        put("conf/domains.map", "a.test pool_1\nb.test\n"),
        "STATE_CORRUPT",
        /a\.tar: conf\/domains\.map, line 2/,
      ],
      [
        put("conf/domains.map", "a.test pool_3\n"),
        "STATE_CORRUPT",
        /a\.test: pool_3 is not one of the pools pool_1 to pool_2/,
      ],
      [
        put("conf/servers.json", "{\n  pool_1: 1 }"),
        "STATE_CORRUPT",
        /a\.tar: conf\/servers\.json, line 2, column 3/,
      ],
      [
        put("conf/servers.json", '{"pool_1":{"4":{"ip":"10.0.0.1"}}}'),
        "STATE_CORRUPT",
        /"4" is not one of the slots 1 to 3/,
      ],
      [
        put("conf/certificates.json", '{"domains":[1]}'),
        "STATE_CORRUPT",
        /a\.tar: conf\/certificates\.json, domains\[0\]/,
      ],
      [
        put("certs/crt-list.txt", "x.pem [\n"),
        "STATE_CORRUPT",
        /a\.tar: certs\/crt-list\.txt, line 1/,
      ],
      [put("certs/crt-list.txt", "# none\n"), "STATE_CORRUPT", /names no certificate/],
      [
        put("certs/crt-list.txt", listed),
        "CERTIFICATE",
        /names x\.test\.pem, which is neither in the backup nor in certs/,
      ],
      [
        put("certs/default.pem", "garbage"),
        "CERTIFICATE",
        /a\.tar: certs\/default\.pem can't be used/,
      ],
      [
        put("certs/default.pem", key + other),
        "CERTIFICATE",
        /key does not belong to its first certificate/,
      ],
      [put("../outside", "x"), "STATE_CORRUPT", /"\.\.\/outside", which is no file of the agent's/],
      [put("certs/../../x.pem", "x"), "STATE_CORRUPT", /no file of the agent's/],
      [put("/etc/x.pem", "x"), "STATE_CORRUPT", /no file of the agent's/],
      [put("certs/.hidden.pem", "x"), "STATE_CORRUPT", /no file of the agent's/],
      [put("data/lock", "x"), "STATE_CORRUPT", /no file of the agent's/],
      [put("conf/servers.state", "x"), "STATE_CORRUPT", /no file of the agent's/],
      [(files) => files.delete("conf/domains.map"), "STATE_CORRUPT", /has no conf\/domains\.map/],
    ] as const satisfies readonly (readonly [
      (files: Map<string, Uint8Array>) => void,
      string,
      RegExp,
    ])[]
  ) {
    const error = await orders.refused(withFiles(content, change));
    assert.deepEqual([error.code, words.test(error.message)], [code, true], error.message);
    assert.doesNotMatch(error.message, /PRIVATE KEY/);
  }
  const elsewhere = await orders.refused(withFiles(content, () => {}, { root: "/srv/haproxy" }));
  assert.equal(elsewhere.code, "REFUSED");
  assert.match(elsewhere.message, /of HAPROXY_ROOT \/srv\/haproxy/);
  assert.deepEqual({ ...await rig.snapshot(), ...await filesOf(rig.haproxy.root) }, before);
});

Deno.test("with HAProxy down a backup is made, a restore is refused, and with offline it is there for HAProxy's start", async () => {
  await using one = startBackend("one");
  await using rig = await openSite({ heal: false });
  const orders = ordersOf(rig);
  await rig.call("add_domain", { domain: "c.test", share_with: "b.test" });
  await rig.call("add_server", { domain: "c.test", ip: "127.0.0.1", http_port: one.port });
  await rig.call("remove_server", { domain: "c.test", slot: 1, force: true });
  const before = await rig.snapshot();
  const { content } = await orders.backup();
  await rig.call("remove_domain", { domain: "c.test" });
  await rig.call("remove_domain", { domain: "b.test" });
  const up = await orders.refused(content, { offline: true });
  assert.deepEqual([up.code, /HAProxy answers at/.test(up.message)], ["REFUSED", true]);
  await rig.haproxy.kill9();
  assert.ok((await orders.backup()).files.length > 0);
  const down = await orders.refused(content);
  assert.deepEqual([down.code, /--offline/.test(down.hint!)], ["HAPROXY_UNREACHABLE", true]);
  const { haproxy, files } = await orders.restore(content, { offline: true });
  assert.deepEqual([haproxy, files.length], [undefined, 3]);
  await rig.haproxy.start();
  assert.deepEqual(await rig.snapshot(), before);
  assert.equal((await rig.get("c.test")).body, "one\n");
});

Deno.test("a restore is refused where only reading is allowed, and without a word where MCP_CONFIRM=require", async () => {
  {
    await using rig = await openTools({ readOnly: true });
    const orders = ordersOf(rig);
    assert.equal((await orders.refused((await orders.backup()).content)).code, "REFUSED");
  }
  await using rig = await openTools({ confirm: "require" });
  const orders = ordersOf(rig);
  const { content } = await orders.backup();
  assert.equal((await orders.refused(content)).code, "CONFIRMATION_NEEDED");
  await orders.restore(content, { dryRun: true });
  await orders.restore(content, { confirmed: true });
  await orders.restore(content, { verdict: "accepted" });
});
