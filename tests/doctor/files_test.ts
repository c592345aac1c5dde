import assert from "node:assert/strict";
import { join } from "node:path";
import { compareSettings, lookAtSettingsFile } from "../../lib/doctor/settings_file.ts";
import { readSettings } from "../../lib/config.ts";
import { makePipe } from "../support/pipe.ts";
import { judge, ROOT, saw, told, unseen } from "./seen.ts";

const entry = { folder: false, special: false, uid: 1001, gid: 1001, mode: 0o644, modified: 0 };
type Some = Partial<typeof entry & { path: string }>;
const entriesWith = (...more: readonly Some[]) => [
  { ...entry, path: ROOT, folder: true, mode: 0o755, uid: 0 },
  { ...entry, path: `${ROOT}/data`, folder: true, mode: 0o755 },
  ...more.map((each) => ({ ...entry, path: "", ...each })),
];
const tree = (...more: readonly Some[]) => saw({ entries: entriesWith(...more) });

Deno.test("access names what does not belong to the user that data/ belongs to", () => {
  const path = `${ROOT}/data/journal/changes.jsonl`;
  assert.match(
    told("access", { seen: { tree: tree({ path, uid: 0, mode: 0o600 }) } }),
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
    told("access", { seen: { tree: tree(...others) } }),
    /^ok: what the agent writes belongs to user 1001/,
  );
  const ofRoot = saw({
    entries: [
      { ...entry, path: `${ROOT}/data`, uid: 0, folder: true },
      { ...entry, path: `${ROOT}/conf/domains.map` },
    ],
  });
  assert.match(told("access", { seen: { tree: ofRoot } }), /^ok: /);
});

Deno.test("access goes by whom the unit runs as, whoever owns data/", () => {
  const [root, data, map] = entriesWith({ path: `${ROOT}/conf/domains.map` });
  const seen = {
    tree: saw({ entries: [root, { ...data, uid: 0, gid: 0 }, map] }),
    unitUser: saw({ uid: 1001, gid: 1001 }),
  };
  assert.equal(
    told("access", { seen }),
    `fault: ${ROOT}/data (user 0) does not belong to user 1001, whom haproxy-mcp.service runs as: an agent of that user ` +
      "can't write there",
  );
  const asRoot = {
    ...seen,
    tree: saw({ entries: [root, data, map] }),
    unitUser: saw({ uid: 0, gid: 0 }),
  };
  assert.match(told("access", { seen: asRoot }), /^ok: /);
});

Deno.test("access and links name what to give to the agent, and not the whole root, of which a part is root's", () => {
  const may = { readable: true, writable: false, executable: true };
  const denied = ["a", "b", "c", "d"].map((name) => ({ ...may, path: `${ROOT}/conf/${name}` }));
  const remedyOf = (name: string, seen: Parameters<typeof judge>[1]) => {
    const finding = judge(name, seen);
    return "remedy" in finding ? finding.remedy : "";
  };
  assert.equal(
    remedyOf("access", { seen: { access: saw(denied), uid: 1001 } }),
    `Run doctor as the agent's user; if it is that one: chown 1001 ${ROOT}/conf/a ${ROOT}/conf/b ${ROOT}/conf/c …; ` +
      "where install.sh was used, run again it gives everything its owner.",
  );
  const escapes = unseen(`Permission denied (os error 13): readdir '${ROOT}/data'`);
  const remedy = remedyOf("links", { seen: { escapes, uid: 1001 } });
  assert.match(remedy, /chown 1001 what is named; where install\.sh was used/);
  assert.doesNotMatch(remedy, /-R/);
});

Deno.test("token-file: one that is another user's than the agent's keeps it from starting", () => {
  const tokens = saw({ uid: 0 });
  assert.match(
    told("token-file", { seen: { tokens, tree: tree() } }),
    /^fault: \S+mcp-token\.env belongs to user 0, .* not to user 1001, as data\/ does: .* does not start$/,
  );
  const unitUser = saw({ uid: 1002, gid: 1002 });
  assert.match(
    told("token-file", { seen: { tokens: saw({ uid: 1001 }), tree: tree(), unitUser } }),
    /^fault: .* not to user 1002, whom haproxy-mcp\.service runs as/,
  );
  const own = { tokens: saw({ uid: 1001 }), tree: tree() };
  assert.match(told("token-file", { seen: own }), /^ok: /);
  // An agent of root's reads whatever there is.
  assert.match(told("token-file", { seen: { tokens: saw({ uid: 1001 }) } }), /^ok: /);
});

Deno.test("what was not looked at is not said to be fine, and what is wrong is said all the same", () => {
  const missing = "there are more than 100000 files and folders";
  const entries = entriesWith();
  for (const name of ["access", "strangers", "private-keys"]) {
    assert.match(
      told(name, { seen: { tree: saw({ entries, missing }) } }),
      /^skipped: .*, as far as was looked: there are more than 100000 .*: find \/opt\/haproxy/,
    );
  }
  const open = entriesWith({ path: `${ROOT}/conf`, folder: true, mode: 0o777 });
  assert.match(
    told("strangers", { seen: { tree: saw({ entries: open, missing }) } }),
    /^fault: every user of this machine may write/,
  );
});

Deno.test("access believes the kernel first: a read-only mount, an ACL", () => {
  const may = { path: `${ROOT}/conf`, readable: true, writable: false, executable: true };
  const finding = told("access", { seen: { access: saw([may]), uid: 0 } });
  assert.equal(finding, `fault: user 0 can't write ${ROOT}/conf`);
});

Deno.test("strangers passes over sticky folders, sockets and links", () => {
  const fine = tree(
    { path: `${ROOT}/run`, folder: true, mode: 0o1777 },
    { path: `${ROOT}/link`, special: true, mode: 0o777 },
  );
  assert.match(told("strangers", { seen: { tree: fine } }), /^ok: /);
  const open = tree({ path: `${ROOT}/conf`, folder: true, mode: 0o777 });
  assert.match(
    told("strangers", { seen: { tree: open } }),
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

Deno.test("journal: a restore that was cut off is a fault until somebody has finished it", () => {
  const { status, message, ...more } = judge("journal", { files: { restoreCutOff: saw(true) } });
  assert.deepEqual([status, /^a restore was cut off/.test(message)], ["fault", true]);
  assert.match("remedy" in more ? more.remedy : "", /haproxy_list_domains.*haproxy_restore_state/);
  const broken = unseen("restore.json is not the record of a restore.", "STATE_CORRUPT");
  assert.equal(
    told("journal", { files: { restoreCutOff: broken } }),
    "fault: restore.json is not the record of a restore.",
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

Deno.test("settings-file opens no pipe, which would hold doctor for ever, and says what is there", async () => {
  const root = await Deno.makeTempDir({ prefix: "haproxy-mcp-test-" });
  try {
    const file = join(root, "conf/haproxy-mcp.env");
    await Deno.mkdir(join(root, "conf"));
    await using _writer = await makePipe(file, "LOG_LEVEL=DEBUG\n");
    const settings = readSettings({ HAPROXY_ROOT: root });
    const settingsFile = saw(await lookAtSettingsFile(settings, {}));
    assert.equal(
      told("settings-file", { seen: { settingsFile } }),
      `fault: ${file} can't be used: it is not a file`,
    );
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
