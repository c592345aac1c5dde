/** What holds for all checks: each can fail, says what to do then, and stands alone. */
import assert from "node:assert/strict";
import { GROUPS } from "../../lib/doctor/check.ts";
import { CHECKS, diagnose } from "../../lib/doctor/checks.ts";
import type { Seen } from "../../lib/doctor/seen.ts";
import { saw, seenWith, unseen } from "./seen.ts";

Deno.test("where all is well no check finds anything", () => {
  const { checks, faults, warnings } = diagnose(seenWith());
  assert.deepEqual([faults, warnings], [0, 0], JSON.stringify(checks, null, 1));
  assert.equal(checks.length, CHECKS.length);
});

Deno.test("checks have names of their own, and come by group", () => {
  const names = CHECKS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z]+(-[a-z]+)*$/);
  const groups = CHECKS.map(({ group }) => group);
  assert.deepEqual([...new Set(groups)], [...GROUPS]);
  assert.deepEqual(groups, groups.toSorted((a, b) => GROUPS.indexOf(a) - GROUPS.indexOf(b)));
});

/** Every look failed, as with a room that is lost and a machine that has nothing. */
function blind(): Seen {
  const { settings, now, uid, ...looks } = seenWith();
  const lost = Object.fromEntries(
    Object.keys(looks).map((name) => [name, unseen("the look failed")]),
  );
  return { settings, now, uid, ...lost } as unknown as Seen;
}

Deno.test("a look that failed is never ok, and ends no other check", () => {
  const { checks } = diagnose(blind());
  const fine = checks.filter(({ status }) => status === "ok").map(({ name }) => name);
  // What settings alone say, for which no look is needed.
  assert.deepEqual(fine, ["master-cli", "trusted-networks"]);
  for (const { name, status, message } of checks) {
    assert.ok(["fault", "skipped", "ok"].includes(status), name);
    assert.notEqual(message, "");
    assert.doesNotMatch(message, /doctor itself failed/);
  }
  const skipped = checks.filter(({ status }) => status === "skipped");
  assert.ok(skipped.length > CHECKS.length / 2);
});

Deno.test("whatever single look fails, the other checks find what they found before", () => {
  const before = diagnose(seenWith()).checks;
  const looks = Object.keys(blind()).filter((name) => !["settings", "now", "uid"].includes(name));
  for (const name of looks) {
    const { checks } = diagnose({ ...seenWith(), [name]: unseen("the look failed") });
    for (const [i, after] of checks.entries()) {
      if (after.status === "ok") assert.equal(after.message, before[i].message, name);
      assert.doesNotMatch(after.message, /doctor itself failed/, `${name}: ${after.name}`);
    }
    assert.ok(checks.some(({ status }) => status === "ok"), name);
  }
});

Deno.test("a check that fails by itself is skipped with the reason", () => {
  const { checks } = diagnose(seenWith(), [{
    name: "broken",
    group: "agent",
    looksFor: "nothing",
    judge: () => {
      throw new TypeError("x is undefined");
    },
  }]);
  assert.deepEqual(checks, [{
    name: "broken",
    group: "agent",
    status: "skipped",
    message: "doctor itself failed: x is undefined",
  }]);
});

Deno.test("where HAProxy is out of reach one check says so, and those that need it point there", () => {
  const down = unseen(
    "HAProxy's Runtime API at x can't be reached.",
    "HAPROXY_UNREACHABLE",
    "Start HAProxy.",
  );
  const room = seenWith().room;
  const { haproxy, files } = "value" in room ? room.value : assert.fail();
  const all = Object.fromEntries(Object.keys(haproxy).map((name) => [name, down]));
  const seen = {
    ...seenWith(),
    room: saw({ haproxy: all as unknown as typeof haproxy, files, domains: down, drift: down }),
  };
  const { checks } = diagnose(seen);
  const named = (status: string) =>
    checks.filter((check) => check.status === status).map(({ name }) => name);
  assert.deepEqual(named("fault"), ["runtime-api"]);
  assert.deepEqual(named("warning"), []);
  for (const name of ["one-haproxy", "pools", "sync", "routes", "crt-list", "config-read"]) {
    const check = checks.find((check) => check.name === name)!;
    assert.equal(check.status, "skipped");
    assert.equal(check.message, "HAProxy does not answer (see runtime-api)");
  }
});
