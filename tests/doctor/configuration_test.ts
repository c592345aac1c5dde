import assert from "node:assert/strict";
import {
  effectiveLine,
  linesOf,
  listensOn,
  readHaproxyConfig,
  valueAfter,
} from "../../lib/doctor/haproxy_config.ts";
import { looksUpSlots } from "../../lib/doctor/slot_lines.ts";
import { haproxyConfig } from "../../lib/init/config.ts";
import { defaultOptions } from "../../lib/init/options.ts";
import { withoutNoreuseport } from "../support/edit_config.ts";
import { CONFIG, judge, ROOT, saw, told, unseen } from "./seen.ts";

const withConfig = (config: string, more = {}) => ({ seen: { config: saw(config) }, ...more });

Deno.test("readHaproxyConfig reads words as HAProxy does: quotes, backslashes, comments", () => {
  const [global, , http] = readHaproxyConfig(`global # the process
    log "a b" 'c # d'   e\\ f # and no more
defaults
    mode http
frontend x from y
    http-request return string "say \\"hi\\"" if { hdr(a) "#1" }
`);
  assert.deepEqual(global.lines, [{ line: 2, words: ["log", "a b", "c # d", "e f"] }]);
  assert.deepEqual(http.lines[0].words.slice(3), ['say "hi"', "if", "{", "hdr(a)", "#1", "}"]);
  assert.equal(http.name, "x");
});

Deno.test("readHaproxyConfig gives a section the defaults before it, or those that it names", () => {
  const sections = readHaproxyConfig(`defaults one
    retries 1
backend a
defaults two
    retries 2
backend b
    retries 9
backend c
backend d from one
`);
  const retries = (name: string) =>
    effectiveLine(sections.find((section) => section.name === name)!, "retries")?.words[1];
  assert.deepEqual(["a", "b", "c", "d"].map(retries), ["1", "9", "2", "1"]);
});

Deno.test("what init writes is read back: sockets, state file, slots", () => {
  const sections = readHaproxyConfig(CONFIG);
  assert.deepEqual(
    linesOf(sections, "global", "server-state-file")[0].words[1],
    `${ROOT}/conf/servers.state`,
  );
  assert.equal(sections.filter(({ name }) => /^pool_/.test(name)).length, 2);
  assert.ok(listensOn(CONFIG, 9999));
  assert.ok(!listensOn(CONFIG, 999));
  assert.ok(!looksUpSlots(CONFIG));
  assert.equal(valueAfter(["x", "init-addr", "last,none"], "init-addr"), "last,none");
});

const SLOT = "server-template pool_1_ 1-3 slot.invalid:1 disabled";

for (
  const [what, from, to, expected] of [
    [
      "none at all",
      " init-addr last,127.0.0.1",
      "",
      /^fault: .*no init-addr holds .* does not start/,
    ],
    ["libc", "last,127.0.0.1", "last,libc", /^fault: .*has libc/],
    [
      "a line's own",
      SLOT,
      `${SLOT} init-addr libc`,
      /^fault: haproxy\.cfg, line \d+: init-addr libc has libc/,
    ],
    ["no last", "last,127.0.0.1", "127.0.0.1", /^fault: .*lacks last/],
    ["no address", "last,127.0.0.1", "last", /^fault: .*ends without an address/],
    ["IPv6", "last,127.0.0.1", "last,::1", /^ok: /],
    [
      "a backend's own default-server",
      `    ${SLOT}`,
      `    default-server init-addr last,none\n    ${SLOT}`,
      /^fault: .*last,none/,
    ],
  ] as const
) {
  Deno.test(`init-addr: ${what}`, () => {
    assert.ok(CONFIG.includes(from));
    assert.match(told("init-addr", withConfig(CONFIG.replace(from, to))), expected);
  });
}

Deno.test("init-addr does not matter for slots with an address", () => {
  const config = CONFIG.replaceAll("slot.invalid:1", "0.0.0.0:80").replace(
    " init-addr last,127.0.0.1",
    "",
  );
  assert.match(told("init-addr", withConfig(config)), /^skipped: no pool .* host name/);
  assert.ok(!looksUpSlots(config));
});

Deno.test("setcap is wanted where workers become another user and QUIC has a port below 1024", () => {
  const account = { user: "haproxy", group: "haproxy" };
  const asRoot = haproxyConfig({ ...defaultOptions(ROOT), account });
  assert.match(told("setcap", withConfig(asRoot)), /^ok: /);
  const without = asRoot.replace("setcap cap_net_bind_service", "");
  assert.match(
    told("setcap", withConfig(without)),
    /^fault: .*workers run as haproxy.*quic4@0\.0\.0\.0:443/,
  );
  assert.match(told("setcap", withConfig(without.replace("user haproxy", "user root"))), /^ok: /);
  assert.match(told("setcap", withConfig(without.replace(/quic\d@/g, ""))), /^skipped: /);
  assert.match(told("setcap", withConfig(CONFIG)), /^ok: HAProxy's workers keep the rights/);
  const high = haproxyConfig({ ...defaultOptions(ROOT), account, httpPort: 8080, httpsPort: 8443 });
  assert.match(told("setcap", withConfig(high)), /^skipped: .*below 1024/);
});

Deno.test("master-cli: on a port it is a risk for HAProxy 3.0 alone, and there with noreuseport alone", () => {
  const tell = (version: string, master: string, config = CONFIG) => {
    const process = saw({ pid: 7, version, startedAt: 0, uptime: 1, stopping: false, key: "7@1" });
    return told("master-cli", {
      ...withConfig(config),
      haproxy: { process },
      env: { HAPROXY_MASTER: master },
    });
  };
  const port = "127.0.0.1:9998";
  assert.match(tell("3.0.11-1", port), /^warning: .*noreuseport.*port, 127\.0\.0\.1:9998:/);
  assert.match(tell("3.0.11-1", port, withoutNoreuseport(CONFIG)), /^ok: /);
  assert.match(tell("3.0.11-1", `${ROOT}/run/master.sock`), /^ok: /);
  assert.match(tell("3.2.26-1", port), /^ok: /);
  assert.match(told("master-cli"), /^ok: /);
});

Deno.test("state-file: what HAProxy said at its start counts until the file is good and both see the same one", () => {
  const corrupt = saw(
    `[WARNING]  (9) : config: corrupted global server state file '${ROOT}/conf/servers.state' at line 2.\n`,
  );
  const bad = { serverStateFlaw: saw("line 3 is no server's") };
  assert.match(
    told("state-file", { haproxy: { startupLogs: corrupt }, files: bad }),
    /^fault: .*corrupted/,
  );
  assert.match(
    told("state-file", { haproxy: { startupLogs: corrupt } }),
    /^ok: .*since then the file was put right/,
  );
  const inside = CONFIG.replace(`${ROOT}/conf/servers.state`, "/etc/haproxy/servers.state");
  const missing = saw(
    "[NOTICE] (9) : config: Can't open global server state file '/etc/haproxy/servers.state': No such file or directory\n",
  );
  assert.match(told("state-file", withConfig(inside)), /^ok: HAProxy has read/);
  assert.match(
    told("state-file", withConfig(inside, { haproxy: { startupLogs: missing } })),
    /^fault: .*Can't open/,
  );
  const other = CONFIG.replace("conf/servers.state", "conf/other.state");
  assert.match(
    told("state-file", withConfig(other)),
    /^fault: .*HAProxy reads \S+other\.state .* the agent keeps/,
  );
});

Deno.test("state-file: while HAProxy is down haproxy.cfg alone is judged", () => {
  const down = unseen("It can't be reached.", "HAPROXY_UNREACHABLE");
  assert.match(told("state-file", { haproxy: { process: down, startupLogs: down } }), /^ok: /);
});

Deno.test("haproxy-cfg tells two errors with their places, and what HAProxy merely warns of", () => {
  const errors = [1, 2, 3].map((line) => ({ file: "/x.cfg", line, message: `word ${line}` }));
  const parser = saw({ valid: false, by: "binary" as const, warnings: [], errors });
  assert.match(
    told("haproxy-cfg", { seen: { parser } }),
    /^fault: .*: \/x\.cfg:1: word 1, \/x\.cfg:2: word 2 and 1 more$/,
  );
  const warnings = [{ message: "this is deprecated" }];
  const warned = saw({ valid: true, by: "binary" as const, warnings, errors: [] });
  assert.match(
    told("haproxy-cfg", { seen: { parser: warned } }),
    /^ok: .*HAProxy warns: this is deprecated/,
  );
  const nobody = unseen("The configuration can't be checked: there is no haproxy in PATH.");
  assert.match(
    told("haproxy-cfg", { seen: { parser: nobody } }),
    /^skipped: The configuration can't be checked/,
  );
});

Deno.test("config-read names another file that HAProxy was started with", () => {
  const finding = judge("config-read", {
    seen: { otherConfigs: saw(["/etc/haproxy/haproxy.cfg"]) },
  });
  assert.equal(finding.status, "warning");
  assert.match(
    finding.message,
    /started with \/etc\/haproxy\/haproxy\.cfg, not with \/opt\/haproxy\/conf\/haproxy\.cfg/,
  );
});

Deno.test("stats-maxconn: ten and less are few", () => {
  const most = (number: number) =>
    told(
      "stats-maxconn",
      withConfig(CONFIG.replace("stats maxconn 50", `stats maxconn ${number}`)),
    );
  assert.match(most(10), /^warning: /);
  assert.match(most(11), /^ok: /);
});
