import assert from "node:assert/strict";
import {
  addMap,
  delMap,
  getMap,
  isMapWord,
  setMap,
  setServerAddress,
  setServerHealthUp,
  setServerState,
  setServerWeight,
  showInfo,
  showMap,
  showMaps,
  showServersState,
  showServerStat,
} from "../../lib/runtime/commands.ts";

const MAP = "/opt/haproxy/conf/domains.map";

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
