import assert from "node:assert/strict";
import fc from "fast-check";
import {
  parseClock,
  parseGetMap,
  parseInfo,
  parseMap,
  parseMaps,
  parseMapUsers,
  parseServerNames,
  parseServersState,
  parseStat,
} from "../../lib/runtime/parse.ts";

const COLUMNS = [
  "be_id",
  "be_name",
  "srv_id",
  "srv_name",
  "srv_addr",
  "srv_op_state",
  "srv_admin_state",
  "srv_uweight",
  "srv_port",
];
const ROW: Readonly<Record<string, string>> = {
  be_id: "5",
  be_name: "pool_1",
  srv_id: "1",
  srv_name: "pool_1_1",
  srv_addr: "10.0.0.1",
  srv_op_state: "2",
  srv_admin_state: "4",
  srv_uweight: "37",
  srv_port: "80",
};
const state = (columns: readonly string[], row: Readonly<Record<string, string>> = ROW) =>
  `1\n# ${columns.join(" ")}\n${columns.map((name) => row[name] ?? "-").join(" ")}\n`;

Deno.test("show servers state is read by its header, with columns added and reordered", () => {
  const known = [{
    backend: "pool_1",
    server: "pool_1_1",
    ip: "10.0.0.1",
    port: 80,
    state: "ready",
    weight: 37,
    up: true,
  }];
  fc.assert(fc.property(
    fc.shuffledSubarray([...COLUMNS, "new_one", "new_two"], { minLength: 11 }),
    (columns) => assert.deepEqual(parseServersState(state(columns)), known),
  ));
});

for (
  const [bits, expected] of [
    [0, "ready"],
    [4, "ready"],
    [5, "maint"],
    [1, "maint"],
    [12, "drain"],
    [8, "drain"],
    [9, "maint"],
    [36, "ready"],
  ] as const
) {
  Deno.test(`srv_admin_state ${bits} is ${expected}`, () =>
    assert.equal(
      parseServersState(state(COLUMNS, { ...ROW, srv_admin_state: String(bits) }))[0].state,
      expected,
    ));
}

Deno.test("show servers state without a column that is needed, or without a header, is a SyntaxError", () => {
  for (const missing of COLUMNS.filter((name) => !["be_id", "srv_id"].includes(name))) {
    assert.throws(
      () => parseServersState(state(COLUMNS.filter((name) => name !== missing))),
      SyntaxError,
    );
  }
  assert.throws(() => parseServersState(""), SyntaxError);
});

Deno.test("show stat is read by its header; quotes hold commas and doubled quotes", () => {
  const rows = parseStat(
    '# pxname,svname,desc,status,\na,FRONTEND,,OPEN,\nb,"x,y","say ""hi"", he said",UP,\n',
  );
  assert.deepEqual(rows.map(({ pxname, svname, desc, status }) => [pxname, svname, desc, status]), [
    ["a", "FRONTEND", "", "OPEN"],
    ["b", "x,y", 'say "hi", he said', "UP"],
  ]);
});

Deno.test("a CSV row of any cells is read back", () => {
  const cell = fc.stringMatching(/^[ -~]{0,8}$/);
  fc.assert(
    fc.property(fc.array(cell, { minLength: 1, maxLength: 6 }), (cells) => {
      fc.pre(cells.some((cell) => cell !== "") || cells.length > 1);
      const names = cells.map((_, i) => `c${i}`);
      const quoted = cells.map((cell) =>
        /[",]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
      );
      const [row] = parseStat(`# ${names.join(",")}\n${quoted.join(",")}\n`);
      assert.deepEqual(names.map((name) => row[name]), cells);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("show map lists maps with the paths that they have", () => {
  const text = "# id (file) description\n" +
    "0 (/opt/haproxy/conf/domains.map) pattern loaded from file '/opt/haproxy/conf/domains.map' used by map at file 'x' line 22. curr_ver=0\n" +
    "1 () acl 'path' file 'x' line 3\n12 (/srv/ha(1)/domains.map) pattern loaded from file '/srv/ha(1)/domains.map' used by map\n";
  assert.deepEqual(parseMaps(text), [
    { id: 0, file: "/opt/haproxy/conf/domains.map" },
    { id: 1, file: "" },
    { id: 12, file: "/srv/ha(1)/domains.map" },
  ]);
});

Deno.test("show map M lists entries in their order, duplicates too", () => {
  assert.deepEqual(
    parseMap("0x7f5502987100 a.test pool_1\n0x7f55 .a.test pool_1\n0x1 a.test pool 2\n"),
    [
      ["a.test", "pool_1"],
      [".a.test", "pool_1"],
      ["a.test", "pool 2"],
    ],
  );
  assert.deepEqual(parseMap(""), []);
});

Deno.test("get map is the value of the first use that finds the key", () => {
  const found =
    'type=str, case=sensitive, found=yes, idx=tree, key="a.test", value="pool_4", type="str"';
  assert.equal(parseGetMap(found), "pool_4");
  assert.equal(parseGetMap(`type=str, case=sensitive, found=no\n${found}`), "pool_4");
  assert.equal(parseGetMap("type=str, case=sensitive, found=no"), undefined);
});

Deno.test("show info is read to the first colon", () => {
  assert.deepEqual(parseInfo("Name: HAProxy\nnode: a: b\ndescription:\nempty: \n"), {
    Name: "HAProxy",
    node: "a: b",
    description: "",
    empty: "",
  });
});

Deno.test("show servers state: the host names of haproxy.cfg, none where an address stands there", () => {
  const columns = [...COLUMNS, "srv_fqdn"];
  assert.deepEqual(parseServerNames(state(columns, { ...ROW, srv_fqdn: "slot.invalid" })), [
    { backend: "pool_1", server: "pool_1_1", hostName: "slot.invalid" },
  ]);
  assert.deepEqual(parseServerNames(state(columns)), [{ backend: "pool_1", server: "pool_1_1" }]);
});

Deno.test("show map: the files that use a map, each once", () => {
  const use = "used by map at file '/etc/haproxy.cfg' line";
  const text =
    `# id (file) description\n0 (/a.map) pattern loaded from file '/a.map' ${use} 9, ${use} 10. curr_ver=0\n`;
  assert.deepEqual(parseMapUsers(text), ["/etc/haproxy.cfg"]);
  assert.deepEqual(parseMapUsers("# id (file) description\n"), []);
});

Deno.test("show activity: HAProxy's clock in milliseconds", () => {
  assert.equal(parseClock("thread_id: 2 (1..2)\ndate_now: 1795778681.698707\n"), 1795778681698.707);
  assert.equal(parseClock("thread_id: 2\n"), undefined);
});
