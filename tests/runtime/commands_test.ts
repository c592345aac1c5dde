import assert from "node:assert/strict";
import {
  abortCertificate,
  addMap,
  addToCrtList,
  commitCertificate,
  delCertificate,
  delFromCrtList,
  delMap,
  getMap,
  isCertificateName,
  isCrtListWord,
  isMapWord,
  newCertificate,
  setCertificate,
  setMap,
  setServerAddress,
  setServerHealthUp,
  setServerState,
  setServerWeight,
  showCertificate,
  showCertificates,
  showCrtList,
  showCrtLists,
  showInfo,
  showMap,
  showMaps,
  showPendingCertificate,
  showServersState,
  showServerStat,
} from "../../lib/runtime/commands.ts";

const MAP = "/opt/haproxy/conf/domains.map";
const LIST = "/opt/haproxy/certs/crt-list.txt";
const CERT = "/opt/haproxy/certs/a.test.pem";
const KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
const entry = (options: string[], filters: string[], path = CERT) => ({ path, options, filters });

for (
  const [command, line, expects] of [
    [showInfo(), "show info", "data"],
    [showMaps(), "show map", "data"],
    [showMap(MAP), `show map ${MAP}`, "data"],
    [getMap(MAP, ".a.test"), `get map ${MAP} .a.test`, "data"],
    [addMap(MAP, "a.test", "pool_1"), `add map ${MAP} a.test pool_1`, "silence"],
    [setMap(MAP, "a.test", "pool_1"), `set map ${MAP} a.test pool_1`, "silence"],
    [delMap(MAP, "a.test"), `del map ${MAP} a.test`, "silence"],
    [showServersState(), "show servers state", "data"],
    [showServersState("pool_1"), "show servers state pool_1", "data"],
    [showServerStat("pool_1"), "show stat pool_1 4 -1", "data"],
    [
      setServerAddress("pool_1", "pool_1_1", "::FFFF:10.0.0.1", 80),
      "set server pool_1/pool_1_1 addr 10.0.0.1 port 80",
      "address",
    ],
    [
      setServerAddress("pool_1", "pool_1_1", "2001:DB8::1", 65535),
      "set server pool_1/pool_1_1 addr 2001:db8::1 port 65535",
      "address",
    ],
    [
      setServerState("pool_1", "pool_1_1", "maint"),
      "set server pool_1/pool_1_1 state maint",
      "silence",
    ],
    [
      setServerWeight("pool_1", "pool_1_1", 256),
      "set server pool_1/pool_1_1 weight 256",
      "silence",
    ],
    [setServerHealthUp("pool_1", "pool_1_1"), "set server pool_1/pool_1_1 health up", "silence"],
    [showCertificates(), "show ssl cert", "data"],
    [showCertificate(CERT), `show ssl cert ${CERT}`, "data"],
    [showPendingCertificate(CERT), `show ssl cert *${CERT}`, "data"],
    [newCertificate(CERT), `new ssl cert ${CERT}`, "new cert"],
    [setCertificate(CERT, KEY), `set ssl cert ${CERT} <<%END%`, "set cert"],
    [commitCertificate(CERT), `commit ssl cert ${CERT}`, "commit cert"],
    [abortCertificate(CERT), `abort ssl cert ${CERT}`, "abort cert"],
    [delCertificate(CERT), `del ssl cert ${CERT}`, "del cert"],
    [showCrtLists(), "show ssl crt-list", "data"],
    [showCrtList(LIST), `show ssl crt-list -n ${LIST}`, "data"],
    [addToCrtList(LIST, entry([], [])), `add ssl crt-list ${LIST} ${CERT}`, "add crt-list"],
    [addToCrtList(LIST, entry([], ["a.test"])), `add ssl crt-list ${LIST} <<%END%`, "add crt-list"],
    [delFromCrtList(LIST, CERT), `del ssl crt-list ${LIST} ${CERT}`, "del crt-list"],
    [delFromCrtList(LIST, CERT, 3), `del ssl crt-list ${LIST} ${CERT}:3`, "del crt-list"],
  ] as const
) {
  Deno.test(`the command is ${line}`, () =>
    assert.deepEqual([command.line, command.expects], [line, expects]));
}

const BAD_NAMES = ["", "a b", "a/b", "a\nb", "a;b", "pool_1\n", "ä", "a,b", "<<", "a".repeat(256)];
const BAD_KEYS = [
  "",
  "a b",
  "a\nb",
  "a;b",
  "a\\b",
  "a<<b",
  "a\0",
  "ä.test",
  "a#b",
  "a".repeat(256),
];
const BAD_MAPS = ["", "a b", "a\nb", "a;b", "ä", "a<<b", "a".repeat(4_097)];

const refuses = (
  what: string,
  values: readonly string[],
  ...commands: ((value: string) => unknown)[]
) =>
  Deno.test(`no command takes a ${what} that is none`, () => {
    for (const value of values) {
      for (const command of commands) {
        assert.throws(
          () => command(value),
          { code: "VALIDATION" },
          `${command} ${JSON.stringify(value)}`,
        );
      }
    }
  });

refuses(
  "backend name",
  BAD_NAMES,
  showServersState,
  showServerStat,
  (name) => setServerState(name, "s", "ready"),
);
refuses(
  "server name",
  BAD_NAMES,
  (name) => setServerState("b", name, "ready"),
  (name) => setServerWeight("b", name, 1),
  (name) => setServerAddress("b", name, "10.0.0.1", 80),
  (name) => setServerHealthUp("b", name),
);
refuses(
  "map value",
  BAD_NAMES,
  (value) => addMap(MAP, "a.test", value),
  (value) => setMap(MAP, "a.test", value),
);
refuses(
  "map key",
  BAD_KEYS,
  (key) => getMap(MAP, key),
  (key) => addMap(MAP, key, "p"),
  (key) => setMap(MAP, key, "p"),
  (key) => delMap(MAP, key),
);
refuses(
  "map name",
  BAD_MAPS,
  showMap,
  (map) => getMap(map, "a"),
  (map) => addMap(map, "a", "p"),
  (map) => delMap(map, "a"),
);
refuses(
  "address",
  ["localhost", "127.1", "300.1.1.1", "10.0.0.1 port 1", "fe80::1%1", ""],
  (ip) => setServerAddress("b", "s", ip, 80),
);
refuses(
  "state",
  ["", "up", "ready\n", "READY"],
  (state) => setServerState("b", "s", state as "ready"),
);

Deno.test("no command takes a port or a weight out of range", () => {
  for (const port of [0, -1, 65536, 99999, 80.5, NaN, "80" as never]) {
    assert.throws(() => setServerAddress("b", "s", "10.0.0.1", port), { code: "VALIDATION" });
  }
  for (const weight of [-1, 257, 1.5, NaN, "50%" as never]) {
    assert.throws(() => setServerWeight("b", "s", weight), { code: "VALIDATION" });
  }
});

Deno.test("isMapWord tells the keys that commands can carry", () => {
  for (const key of ["a.test", ".a.test", "*.a.test", "a_b", "::1"]) assert.ok(isMapWord(key), key);
  for (const key of BAD_KEYS) assert.equal(isMapWord(key), false, key);
});

const BAD_FILES = [
  ...BAD_MAPS,
  "*/a.pem",
  "#a.pem",
  "/a[b].pem",
  "/a.pem]",
  "/a\\b",
  "/a'b",
  "/a\0b",
];

refuses(
  "certificate's name",
  BAD_FILES,
  showCertificate,
  showPendingCertificate,
  newCertificate,
  (name) => setCertificate(name, KEY),
  commitCertificate,
  abortCertificate,
  delCertificate,
  (name) => addToCrtList(LIST, entry([], [], name)),
  (name) => addToCrtList(LIST, entry([], ["a.test"], name)),
  (name) => delFromCrtList(LIST, name),
);
refuses(
  "crt-list's name",
  BAD_FILES,
  showCrtList,
  (list) => addToCrtList(list, entry([], [])),
  (list) => delFromCrtList(list, CERT),
);
refuses(
  "word of a crt-list",
  ["", "a b", "a\nb", "[a", "a]", "a;b", "a'b", 'a"b', "a\\b", "a<<b", "ä", "a\0"],
  (word) => addToCrtList(LIST, entry([], [word])),
  (word) => addToCrtList(LIST, entry([word], [])),
);

Deno.test("a line of a crt-list is a payload: path, options in brackets, filters", () => {
  const payload = (options: string[], filters: string[]) =>
    addToCrtList(LIST, entry(options, filters)).payload;
  assert.equal(payload([], []), undefined);
  assert.equal(payload([], ["*.a.test", "!b.a.test"]), `${CERT} *.a.test !b.a.test\n`);
  assert.equal(payload(["ssl-min-ver", "TLSv1.2"], []), `${CERT} [ssl-min-ver TLSv1.2]\n`);
  assert.equal(payload(["ciphers", "A:!B"], ["a.test"]), `${CERT} [ciphers A:!B] a.test\n`);
});

Deno.test("no command takes a line of a crt-list that can't be one", () => {
  for (const line of [0, -1, 1.5, NaN, "1" as never]) {
    assert.throws(() => delFromCrtList(LIST, CERT, line), { code: "VALIDATION" });
  }
});

Deno.test("no line of a crt-list has an option of the store twice: 3.2 does not survive it", () => {
  const twice = ["key", "/x", "key", "/y"];
  assert.throws(() => addToCrtList(LIST, entry(twice, [])), { code: "VALIDATION" });
});

Deno.test("isCrtListWord tells the words that a crt-list's line can carry", () => {
  for (
    const word of ["a.test", "*.a.test", "!b.a.test", "ECDHE+AESGCM:!aNULL", "h2,http/1.1", "#"]
  ) {
    assert.ok(isCrtListWord(word), word);
  }
  for (const word of ["", "a b", "[a", "a]", "a;b", "a\nb"]) {
    assert.equal(isCrtListWord(word), false);
  }
});

Deno.test("isCertificateName tells the names that commands can carry", () => {
  for (const name of [CERT, "a.pem", "@store/a.pem", "/a/*.a.test.pem"]) {
    assert.ok(isCertificateName(name), name);
  }
  for (const name of BAD_FILES) assert.equal(isCertificateName(name), false, name);
});
