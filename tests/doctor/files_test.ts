import assert from "node:assert/strict";
import { compareSettings } from "../../lib/doctor/settings_file.ts";
import { ROOT, saw, told, unseen } from "./seen.ts";

const entry = { folder: false, special: false, uid: 1001, gid: 1001, mode: 0o644, modified: 0 };
const tree = (...more: readonly Partial<typeof entry & { path: string }>[]) =>
  saw([
    { ...entry, path: ROOT, folder: true, mode: 0o755, uid: 0 },
    { ...entry, path: `${ROOT}/data`, folder: true, mode: 0o755 },
    ...more.map((each) => ({ ...entry, path: "", ...each })),
  ]);

Deno.test("access names what does not belong to the user that data/ belongs to", () => {
  const path = `${ROOT}/data/journal/changes.jsonl`;
  const entries = tree({ path, uid: 0, mode: 0o600 });
  assert.match(
    told("access", { seen: { entries } }),
    /^fault: \S+changes\.jsonl \(user 0\) does not belong to user 1001/,
  );
});

Deno.test("access leaves alone what is HAProxy's, what the group shares, and what an agent of root may write anyway", () => {
  const others = [
    { path: `${ROOT}/conf/haproxy.cfg`, uid: 0 },
    { path: `${ROOT}/run/master.sock`, uid: 0, special: true },
    { path: `${ROOT}/conf`, uid: 0, folder: true, mode: 0o1775 },
    { path: `${ROOT}/conf/haproxy-mcp.env`, uid: 0, mode: 0o600 },
    { path: `${ROOT}/conf/servers.json`, uid: 1002, mode: 0o664 },
  ];
  assert.match(
    told("access", { seen: { entries: tree(...others) } }),
    /^ok: what the agent writes belongs to user 1001/,
  );
  const ofRoot = saw([
    { ...entry, path: `${ROOT}/data`, uid: 0, folder: true },
    { ...entry, path: `${ROOT}/conf/domains.map` },
  ]);
  assert.match(told("access", { seen: { entries: ofRoot } }), /^ok: /);
});

Deno.test("access believes the kernel first: a read-only mount, an ACL", () => {
  const may = { path: `${ROOT}/conf`, readable: true, writable: false, executable: true };
  const finding = told("access", { seen: { access: saw([may]), uid: 0 } });
  assert.equal(finding, `fault: user 0 can't write ${ROOT}/conf`);
});

Deno.test("strangers passes over sticky folders, sockets and links", () => {
  const entries = tree(
    { path: `${ROOT}/run`, folder: true, mode: 0o1777 },
    { path: `${ROOT}/link`, special: true, mode: 0o777 },
  );
  assert.match(told("strangers", { seen: { entries } }), /^ok: /);
  const open = tree({ path: `${ROOT}/conf`, folder: true, mode: 0o777 });
  assert.match(
    told("strangers", { seen: { entries: open } }),
    /^fault: .*may write \/opt\/haproxy\/conf,/,
  );
});

Deno.test("servers-state is not judged while nobody knows what should be in it", () => {
  const files = { desired: unseen("servers.json, line 1: it is empty.", "STATE_CORRUPT") };
  assert.match(told("desired-state", { files }), /^fault: servers\.json, line 1/);
  assert.equal(
    told("servers-state", { files }),
    "skipped: nobody knows what should be in it (see desired-state)",
  );
});

Deno.test("what this user may not read is said by access, and by nobody else", () => {
  const denied = unseen("Could not read x: Permission denied (os error 13).", "STATE_IO");
  const problems = [denied.error];
  const files = {
    desired: denied,
    unfinished: denied,
    certificates: saw({ count: 0, problems }),
  };
  for (const name of ["desired-state", "journal", "certificate-files"]) {
    assert.match(told(name, { files }), /^skipped: this user may not read .*\(see access\)$/);
  }
  const errors = [{ file: "/x.cfg", line: 1, message: "cannot open file 'y' : Permission denied" }];
  const parser = saw({ valid: false, by: "binary" as const, warnings: [], errors });
  assert.match(
    told("haproxy-cfg", { seen: { parser } }),
    /^skipped: HAProxy's check, run by this user/,
  );
});

Deno.test("journal counts what was cut off", () => {
  const unfinished = saw(["haproxy_add_domain", "haproxy_add_server"]);
  assert.equal(
    told("journal", { files: { unfinished } }),
    "warning: 2 changes were cut off and not finished yet: haproxy_add_domain, haproxy_add_server",
  );
});

Deno.test("compareSettings names what has another effect, not what is merely spelled otherwise", () => {
  const file = { HAPROXY_PORT: "9998", LOG_LEVEL: "info", MCP_HOST: "0.0.0.0", PATH: "/bin" };
  assert.deepEqual(compareSettings({}, file), { differing: ["HAPROXY_PORT"] });
  assert.deepEqual(compareSettings({ HAPROXY_PORT: "9998" }, file), { differing: [] });
  assert.deepEqual(compareSettings({ CF_Token: "same" }, { CF_Token: "same" }), { differing: [] });
  assert.deepEqual(compareSettings({ CF_Token: "one" }, { CF_Token: "other" }), {
    differing: ["CF_Token"],
  });
  // What the environment has beside the file is the operator's own wish.
  assert.deepEqual(compareSettings({ LOG_LEVEL: "DEBUG" }, {}), { differing: [] });
});

Deno.test("compareSettings names settings that could not be used, without a secret", () => {
  const { problem } = compareSettings({}, { HAPROXY_PORT: "x", CF_Token: "secret" });
  assert.match(problem!, /^HAPROXY_PORT="x" is not usable/);
  assert.deepEqual(compareSettings({}, { ACME_EAB_KID: "a", ACME_EAB_HMAC_KEY: "b" }), {
    differing: ["ACME_EAB_HMAC_KEY", "ACME_EAB_KID"],
  });
  const seenFile = { path: "/x/haproxy-mcp.env", differing: [], exposed: [] };
  const odd = { settingsFile: saw({ ...seenFile, problem: "it is odd" }) };
  assert.equal(
    told("settings-file", { seen: odd }),
    "fault: /x/haproxy-mcp.env can't be used: it is odd",
  );
  const open = { settingsFile: saw({ ...seenFile, exposed: ["CF_Token"] }) };
  assert.equal(
    told("settings-file", { seen: open }),
    "fault: other users may read CF_Token in /x/haproxy-mcp.env",
  );
});
