import assert from "node:assert/strict";
import { judge, saw, told, unseen } from "./seen.ts";

const process = (version: string) =>
  saw({ pid: 7, version, startedAt: 1, uptime: 1, stopping: false, key: "7@1" });

Deno.test("version wants 3.0 or newer", () => {
  const running = (version: string) => told("version", { haproxy: { process: process(version) } });
  for (const old of ["1.8.30", "2.6.12-1", "2.9.15"]) {
    assert.equal(running(old), `fault: HAProxy ${old} is too old`);
  }
  const noBinary = { installed: unseen("There is no haproxy program on this machine.") };
  for (const good of ["3.0.11-1+deb13u4", "3.2.26", "3.10-dev1", "4.0.0"]) {
    const finding = told("version", { haproxy: { process: process(good) }, seen: noBinary });
    assert.equal(finding, `ok: HAProxy ${good}`);
  }
  assert.match(running("devel"), /^skipped: HAProxy calls its version devel/);
});

Deno.test("version names a HAProxy that was built without TLS", () => {
  const installed = saw({ program: "/usr/sbin/haproxy", version: "3.2.26-1", features: ["PCRE2"] });
  const finding = judge("version", { seen: { installed } });
  assert.equal(finding.status, "fault");
  assert.match(finding.message, /built without TLS/);
});

Deno.test("runtime-api gives its own advice where somebody else answers, or nobody in time", () => {
  for (
    const message of [
      "HAProxy's Runtime API at x is not HAProxy: the answer does not begin as HAProxy's does.",
      "HAProxy's Runtime API at x did not answer within 5 s.",
    ]
  ) {
    const error = unseen(message, "HAPROXY_UNREACHABLE", "Look there.");
    const finding = judge("runtime-api", { haproxy: { process: error } });
    assert.deepEqual(finding, { status: "fault", message, remedy: "Look there." });
  }
});

Deno.test("what only an admin may ask is skipped at another level, and said by admin-level alone", () => {
  const denied = unseen('HAProxy refused "show map": Permission denied.', "HAPROXY_REJECTED");
  const haproxy = { level: saw("operator"), map: denied, crtList: denied };
  assert.match(told("admin-level", { haproxy }), /^fault: .*operator/);
  for (const name of ["domain-map", "crt-list", "sync"]) {
    assert.equal(
      told(name, { haproxy }),
      "skipped: the Runtime API does not let us look (see admin-level)",
    );
  }
});

Deno.test("slot-addresses wants the host name that the state file has, not just any", () => {
  const hostNames = [
    { name: "slot.invalid", slots: 4, first: "pool_1_1" },
    { name: "localhost", slots: 1, first: "pool_2_2" },
    { name: "", slots: 1, first: "pool_2_3" },
  ];
  const slots = saw({ present: 6, lacking: { count: 0, first: [] }, hostNames });
  assert.match(
    told("slot-addresses", { haproxy: { slots } }),
    /^fault: 1 slot \(pool_2_2\) with the host name localhost, 1 slot \(pool_2_3\) with an address in haproxy\.cfg: /,
  );
});

Deno.test("routes tells domains whose servers are down from those that were switched off", () => {
  const domains = saw({ down: ["down.test"], off: ["off.test"], astray: [] });
  assert.equal(
    told("routes", { room: { domains } }),
    "warning: all ready servers are down of down.test",
  );
  const off = saw({ down: [], off: ["off.test"], astray: [] });
  assert.match(told("routes", { room: { domains: off } }), /^ok: .*; switched off: off\.test$/);
});

Deno.test("sync leaves out what another check says already", () => {
  const problem = { code: "CERTIFICATE" as const, message: "/x/a.pem is missing." };
  const other = {
    code: "CONFLICT" as const,
    message: "HAProxy's certificates are locked.",
    hint: "Reload.",
  };
  const nothing = { domains: 0, servers: 0, certificates: 0 };
  const drift = saw({ counts: nothing, first: [], problems: [problem, other] });
  const files = { certificates: saw({ count: 1, problems: [problem] }) };
  assert.deepEqual(judge("sync", { room: { drift }, files }), {
    status: "fault",
    message: "HAProxy's certificates are locked",
    remedy: "Reload.",
  });
});
